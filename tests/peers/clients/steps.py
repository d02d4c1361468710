"""Drives a client of the Python SDK, of whichever line is installed, through steps: steps.py MODE URL STEPS CAN; see
README.md."""

import asyncio
import json
import sys

MODE, URL = sys.argv[1:3]
STEPS, CAN = map(json.loads, sys.argv[3:])

heard = {}
news = asyncio.Event()


def note(kind, value):
    heard.setdefault(kind, []).append(value)
    news.set()


def plain(model):
    return model.model_dump(mode="json", by_alias=True, exclude_none=True)


async def elicited(context, params):
    from mcp.types import ElicitResult

    note("asked", plain(params))
    schema = plain(params).get("requestedSchema", {})
    return ElicitResult(action="accept", content={name: value(field) for name, field in schema["properties"].items()})


def value(field):
    if "default" in field:
        return field["default"]
    if field["type"] == "array":
        return []
    if "enum" in field or "oneOf" in field:
        return field["enum"][0] if "enum" in field else field["oneOf"][0]["const"]
    return {"string": "x", "boolean": True, "integer": 1, "number": 1.5}[field["type"]]


async def sampled(context, params):
    from mcp.types import CreateMessageResult, TextContent

    note("asked", plain(params))
    return CreateMessageResult(role="assistant", content=TextContent(type="text", text="a word"), model="m")


async def rooted(context):
    from mcp.types import ListRootsResult, Root

    note("asked", "roots")
    return ListRootsResult(roots=[Root(uri="file:///here", name="here")])


async def logged(params):
    note("logged", plain(params))


async def progressed(progress, total, message):
    note("progress", [progress, total, message])


async def told(message):
    message = getattr(message, "root", message)
    match getattr(message, "method", "").removeprefix("notifications/").split("/"):
        case ["resources", "updated"]:
            note("updated", plain(message.params))
        case [kind, "list_changed"]:
            note("changed", kind)


async def enough(until):
    """Waits until so many of each kind have been heard."""
    try:
        async with asyncio.timeout(20):
            while any(len(heard.get(kind, [])) < count for kind, count in until.items()):
                news.clear()
                await news.wait()
    except TimeoutError:
        sys.exit(f"not heard: {until}; heard: {heard}")


ANSWERS = {
    "elicitation": ("elicitation_callback", elicited),
    "sampling": ("sampling_callback", sampled),
    "roots": ("list_roots_callback", rooted),
}
# What there is a callback for is declared.
CALLBACKS = {"logging_callback": logged, "message_handler": told, **dict(ANSWERS[name] for name in CAN)}


async def listed(ask, member):
    items, cursor = [], None
    while True:
        page = await ask(cursor=cursor)
        note("pages", member)
        of_page = getattr(page, member, None)
        items += map(plain, page.resourceTemplates if of_page is None else of_page)
        cursor = getattr(page, "nextCursor", None) or getattr(page, "next_cursor", None)
        if cursor is None:
            return items


class Changes:
    """Streams of changes, where there are no sessions; each is a task of its own, because its context is."""

    def __init__(self, client):
        self.client, self.ends = client, {}

    async def open(self, name, **filter):
        opened, self.ends[name] = asyncio.Event(), asyncio.Event()

        async def hear():
            async with self.client.listen(**filter):
                opened.set()
                await self.ends[name].wait()

        self.ends[name].task = hearing = asyncio.create_task(hear())
        ready = asyncio.create_task(opened.wait())
        await asyncio.wait([hearing, ready], return_when=asyncio.FIRST_COMPLETED)
        if not opened.is_set():
            ready.cancel()
            await hearing

    async def close(self, name):
        end = self.ends.pop(name)
        end.set()
        await end.task


async def step(client, wanted, changes, meta):
    match wanted:
        case {"list": kind}:
            member = {"templates": "resource_templates"}.get(kind, kind)
            return await listed(getattr(client, f"list_{member}"), member)
        case {"call": name}:
            arguments = wanted.get("arguments", {})
            return plain(await client.call_tool(name, arguments, progress_callback=progressed, **meta))
        case {"cancel": name}:
            call = asyncio.create_task(client.call_tool(name, {}, progress_callback=progressed))
            await enough({"progress": 1})
            call.cancel()
            if hasattr(client, "send_notification"):
                # This line of the SDK leaves it to its caller to tell the server.
                from mcp.types import CancelledNotification, CancelledNotificationParams, ClientNotification

                params = CancelledNotificationParams(requestId=client._request_id - 1)
                await client.send_notification(
                    ClientNotification(CancelledNotification(method="notifications/cancelled", params=params))
                )
            return "cancelled"
        case {"prompt": name}:
            return plain(await client.get_prompt(name, wanted.get("arguments", {})))
        case {"read": uri}:
            return plain(await client.read_resource(uri))
        case {"complete": {"ref": ref, "argument": argument}}:
            from mcp.types import PromptReference, ResourceTemplateReference

            kind = PromptReference if ref["type"] == "ref/prompt" else ResourceTemplateReference
            return plain(await client.complete(kind(**ref), argument))
        case {"level": level} if changes:
            meta["meta"] = {"io.modelcontextprotocol/logLevel": level}
        case {"level": level}:
            await client.set_logging_level(level)
        case {"subscribe": uri} if changes:
            await changes.open(uri, resource_subscriptions=[uri])
        case {"subscribe": uri}:
            await client.subscribe_resource(uri)
        case {"unsubscribe": uri} if changes:
            await changes.close(uri)
        case {"unsubscribe": uri}:
            await client.unsubscribe_resource(uri)
        case {"watch": [*kinds]}:
            if changes:
                await changes.open("lists", **{f"{kind}_list_changed": True for kind in kinds})
        case _:
            raise ValueError(wanted)
    return {}


async def steps(client, revision):
    done, meta = [], {}
    changes = Changes(client) if revision >= "2026" else None
    for wanted in STEPS:
        try:
            came = {"result": await step(client, wanted, changes, meta)}
        except Exception as error:
            details = getattr(error, "error", None)
            if details is None:
                raise
            came = {"error": plain(details)}
        if "error" in came:
            print(wanted, came, file=sys.stderr)
        else:
            await enough(wanted.get("until", {}))
        done.append({**came, **heard})
        heard.clear()
    for name in list(changes.ends) if changes else []:
        await changes.close(name)
    print(json.dumps({"revision": revision, "steps": done}))


async def main():
    from mcp.client.sse import sse_client

    over_sse = URL.endswith("/sse")
    try:
        from mcp import Client
    except ImportError:
        from mcp import ClientSession
        from mcp.client.streamable_http import streamablehttp_client

        connect = sse_client if over_sse else streamablehttp_client
        async with connect(URL) as streams, ClientSession(*streams[:2], **CALLBACKS) as session:
            started = await session.initialize()
            await steps(session, started.protocolVersion)
    else:
        async with Client(sse_client(URL) if over_sse else URL, mode=MODE, **CALLBACKS) as client:
            await steps(client, client.protocol_version)


asyncio.run(main())
