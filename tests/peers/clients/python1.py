"""Drives the client of the Python SDK 1: python1.py URL CALLS; see README.md for what it prints."""

import asyncio
import json
import sys

from mcp import ClientSession
from mcp.client.streamable_http import streamablehttp_client

from answers import answer


async def main(url: str, calls: list) -> None:
    async with streamablehttp_client(url) as (read, write, _), ClientSession(read, write) as session:
        started = await session.initialize()
        tools, cursor = [], None
        while True:
            page = await session.list_tools(cursor=cursor)
            tools += [tool.name for tool in page.tools]
            cursor = page.nextCursor
            if cursor is None:
                break
        results = [await answer(session.call_tool(call["name"], call["arguments"])) for call in calls]
    print(json.dumps({"revision": started.protocolVersion, "tools": tools, "results": results}))


asyncio.run(main(sys.argv[1], json.loads(sys.argv[2])))
