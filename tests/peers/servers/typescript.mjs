// An MCP server on the official TypeScript SDK 2, over HTTPS on a free port of loopback.
//
//   node typescript.mjs NAME CERTIFICATE KEY
//
// Prints {"port": N} when it accepts connections. The protocol is the SDK's; only the bodies of the tools are here.
import { readFileSync } from "node:fs";
import https from "node:https";
import { createMcpExpressApp } from "@modelcontextprotocol/express";
import { toNodeHandler } from "@modelcontextprotocol/node";
import { createMcpHandler, McpServer } from "@modelcontextprotocol/server";
import * as z from "zod";

const [name, certificate, key] = process.argv.slice(2);
const says = (text) => ({ content: [{ type: "text", text }] });

const handler = createMcpHandler(() => {
  const server = new McpServer({ name, version: "1.0.0" });
  server.registerTool(
    "echo",
    { description: "Says who heard what.", inputSchema: z.object({ text: z.string() }) },
    async ({ text }) => says(`${name} heard ${text}`),
  );
  server.registerTool(
    "add",
    { description: "Adds two numbers.", inputSchema: z.object({ a: z.number(), b: z.number() }) },
    async ({ a, b }) => says(String(a + b)),
  );
  return server;
});

const app = createMcpExpressApp();
const answer = toNodeHandler(handler);
app.all("/mcp", (request, response) => void answer(request, response, request.body));
const options = { cert: readFileSync(certificate), key: readFileSync(key) };
const server = https.createServer(options, app).listen(0, "127.0.0.1", () => {
  console.log(JSON.stringify({ port: server.address().port }));
});
