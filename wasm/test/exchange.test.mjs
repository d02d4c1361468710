// The exchanges of MCP, driven by `fetch` from Node against servers on the official SDKs, legacy and modern.
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { createServer } from "node:http";
import { createRequire } from "node:module";
import { test } from "node:test";
import { pathToFileURL } from "node:url";
import { call, drive } from "../examples/call.mjs";

const pack = new URL("../../target/pack/exchange/", import.meta.url);
const { Server } = createRequire(import.meta.url)(new URL("vmcp.js", pack).pathname);
const peers = createRequire(new URL("../../tests/peers/package.json", import.meta.url));
const load = (name) => import(pathToFileURL(peers.resolve(name)));

async function listen(context, handle) {
  const server = createServer(handle).listen(0, "127.0.0.1");
  await once(server, "listening");
  context.after(() => { server.closeAllConnections(); server.close(); });
  return `http://127.0.0.1:${server.address().port}/mcp`;
}

test("a tool of a legacy server with sessions is called", async (context) => {
  const { McpServer } = await load("@modelcontextprotocol/sdk/server/mcp.js");
  const { StreamableHTTPServerTransport } = await load("@modelcontextprotocol/sdk/server/streamableHttp.js");
  const z = await load("zod");
  const sessions = new Map();
  const ended = [];
  const url = await listen(context, async (request, response) => {
    const known = sessions.get(request.headers["mcp-session-id"]);
    if (request.method === "DELETE") ended.push(request.headers["mcp-session-id"]);
    if (known) return known.handleRequest(request, response);
    const server = new McpServer({ name: "legacy", version: "1.0.0" });
    server.registerTool("add", { description: "Adds.", inputSchema: { a: z.number(), b: z.number() } }, async ({ a, b }) => ({ content: [{ type: "text", text: String(a + b) }] }));
    const transport = new StreamableHTTPServerTransport({ sessionIdGenerator: () => randomUUID(), onsessioninitialized: (id) => { sessions.set(id, transport); } });
    await server.connect(transport);
    await transport.handleRequest(request, response);
  });
  assert.deepEqual((await call(url, "add", { a: 1.5, b: 2 })).content, [{ type: "text", text: "3.5" }]);
  assert.deepEqual(ended, [...sessions.keys()].slice(-1));
  const server = new Server("example", "1");
  const tools = JSON.parse(await drive(url, server, server.listTools()));
  assert.deepEqual(tools.map(({ name }) => name), ["add"]);
  const opened = sessions.size;
  await drive(url, server, server.call("tools/call", '{"name":"add","arguments":{"a":1,"b":1}}'));
  assert.equal(sessions.size, opened, "the session is used again");
});

test("a tool of a modern server is called", async (context) => {
  const { createMcpHandler, McpServer } = await load("@modelcontextprotocol/server");
  const { toNodeHandler } = await load("@modelcontextprotocol/node");
  const z = await load("zod");
  const handler = createMcpHandler(() => {
    const server = new McpServer({ name: "modern", version: "1.0.0" });
    server.registerTool("echo", { description: "Echoes.", inputSchema: z.object({ text: z.string() }) }, async ({ text }) => ({ content: [{ type: "text", text }] }));
    return server;
  });
  const url = await listen(context, toNodeHandler(handler));
  assert.deepEqual((await call(url, "echo", { text: "é😀" })).content, [{ type: "text", text: "é😀" }]);
});

test("a server that is not there, or is none, is an error in words", async (context) => {
  const url = await listen(context, (_, response) => response.writeHead(200, { "content-type": "text/html" }).end("<p>"));
  await assert.rejects(call(url, "add", {}), /text\/html/);
  await assert.rejects(call("http://127.0.0.1:9/mcp", "add", {}), /no answer came/);
});

test("the module imports nothing that could reach the world", () => {
  const module = new WebAssembly.Module(readFileSync(new URL("vmcp_bg.wasm", pack)));
  const names = WebAssembly.Module.imports(module).map(({ name }) => name.replace(/_[0-9a-f]{16}$/, ""));
  const expected = ["__wbg___wbindgen_throw", "__wbindgen_init_externref_table"];
  assert.deepEqual(names.filter((name) => !expected.includes(name)), []);
});
