// Drives the client of the TypeScript SDK: typescript.mjs 1|2 URL CALLS; see README.md for what it prints.
const [line, url, calls] = process.argv.slice(2);

const [{ Client }, { StreamableHTTPClientTransport }] =
  line === "1"
    ? [
        await import("@modelcontextprotocol/sdk/client/index.js"),
        await import("@modelcontextprotocol/sdk/client/streamableHttp.js"),
      ]
    : Array(2).fill(await import("@modelcontextprotocol/client"));

const client = new Client(
  { name: "peer", version: "1.0.0" },
  line === "1" ? {} : { versionNegotiation: { mode: "auto" } },
);
const transport = new StreamableHTTPClientTransport(new URL(url));
await client.connect(transport);

const tools = [];
let cursor;
do {
  const page = await client.listTools(cursor === undefined ? {} : { cursor });
  tools.push(...page.tools.map((tool) => tool.name));
  cursor = page.nextCursor;
} while (cursor !== undefined);

const results = [];
for (const call of JSON.parse(calls)) {
  try {
    const { content, isError } = await client.callTool(call);
    const text = content.map((block) => block.text ?? "").join("");
    results.push(isError ? { failed: text } : { text });
  } catch (error) {
    results.push({ refused: error.message });
  }
}
const revision = client.getNegotiatedProtocolVersion?.() ?? transport.protocolVersion;
await client.close();
console.log(JSON.stringify({ revision, tools, results }));
