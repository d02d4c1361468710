"""Drives a client of the Python SDK, of whichever line is installed, through steps: steps.py URL STEPS CAN; see README.md."""

import asyncio
import json
import sys

URL, STEPS, CAN = sys.argv[1], json.loads(sys.argv[2]), json.loads(sys.argv[3])

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
    if getattr(message, "method", None) == "notifications/resources/updated":
        note("updated", plain(message.params))


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
        items += [plain(item) for item in getattr(page, member)]
        cursor = getattr(page, "nextCursor", None) or getattr(page, "next_cursor", None)
        if cursor is None:
            return items


async def step(client, wanted):
    match wanted:
        case {"list": kind}:
            member = {"templates": "resource_templates"}.get(kind, kind)
            ask = getattr(client, f"list_{member}")
            try:
                return await listed(ask, member)
            except AttributeError:
                return await listed(ask, "resourceTemplates")
        case {"call": name}:
            return plain(await client.call_tool(name, wanted.get("arguments", {}), progress_callback=progressed))
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
        case {"level": level}:
            return plain(await client.set_logging_level(level))
        case {"subscribe": uri}:
            return plain(await client.subscribe_resource(uri))
        case {"unsubscribe": uri}:
            return plain(await client.unsubscribe_resource(uri))
    raise ValueError(wanted)


async def steps(client, revision):
    done = []
    for wanted in STEPS:
        try:
            came = {"result": await step(client, wanted)}
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
    print(json.dumps({"revision": revision, "steps": done}))


async def main():
    try:
        from mcp import Client
    except ImportError:
        from mcp import ClientSession

        if URL.endswith("/sse"):
            from mcp.client.sse import sse_client as connect
        else:
            from mcp.client.streamable_http import streamablehttp_client as connect
        async with connect(URL) as streams, ClientSession(*streams[:2], **CALLBACKS) as session:
            started = await session.initialize()
            await steps(session, started.protocolVersion)
    else:
        async with Client(URL, mode="auto", log_level="debug", **CALLBACKS) as client:
            await steps(client, client.protocol_version)


asyncio.run(main())
