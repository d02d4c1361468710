"""Drives the client of the Python SDK 2, in its mode `auto`: python2.py URL CALLS; see README.md for what it prints."""

import asyncio
import json
import sys

from mcp import Client

from answers import answer


async def main(url: str, calls: list) -> None:
    async with Client(url, mode="auto") as client:
        tools, cursor = [], None
        while True:
            page = await client.list_tools(cursor=cursor)
            tools += [tool.name for tool in page.tools]
            cursor = page.next_cursor
            if cursor is None:
                break
        results = [await answer(client.call_tool(call["name"], call["arguments"])) for call in calls]
        revision = client.protocol_version
    print(json.dumps({"revision": revision, "tools": tools, "results": results}))


asyncio.run(main(sys.argv[1], json.loads(sys.argv[2])))
