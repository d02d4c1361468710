"""An MCP server on the official Python SDK, of whichever line is installed, over HTTPS on a free port of loopback.

    python.py NAME CERTIFICATE KEY

Prints {"port": N} when it accepts connections. The protocol is the SDK's; only the bodies of the tools are here.
"""

import asyncio
import json
import socket
import sys

import uvicorn

try:
    from mcp.server import MCPServer as Server  # 2.x: revisions up to 2026-07-28
except ImportError:
    from mcp.server.fastmcp import FastMCP as Server  # 1.x: up to 2025-11-25

name, certificate, key = sys.argv[1:]
server = Server(name)


@server.tool()
def echo(text: str) -> str:
    """Says who heard what."""
    return f"{name} heard {text}"


@server.tool()
def add(a: int, b: int) -> int:
    """Adds two whole numbers."""
    return a + b


@server.tool()
async def sleep(seconds: float) -> str:
    """Answers late."""
    await asyncio.sleep(seconds)
    return f"{name} slept"


@server.tool()
def fail() -> str:
    """Reports an error of its own."""
    raise ValueError(f"{name} was asked to fail")


async def main() -> None:
    listener = socket.create_server(("127.0.0.1", 0))
    config = uvicorn.Config(
        server.streamable_http_app(), ssl_certfile=certificate, ssl_keyfile=key, log_level="warning"
    )
    served = asyncio.create_task(uvicorn.Server(config).serve(sockets=[listener]))
    # The socket accepts already; uvicorn answers once its application has started.
    print(json.dumps({"port": listener.getsockname()[1]}), flush=True)
    await served


asyncio.run(main())
