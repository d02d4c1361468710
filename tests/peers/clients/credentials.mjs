// Drives the client of the TypeScript SDK 1 with nothing but client credentials: it is turned away, learns from that where
// tokens are to be had, gets one there and comes in. credentials.mjs URL RESOURCE ID SECRET CALLS; see README.md for what it
// prints. RESOURCE is what the gateway calls itself: its requests go to the host of URL, as through a reverse proxy.
import { ClientCredentialsProvider } from "@modelcontextprotocol/sdk/client/auth-extensions.js";
import { Client } from "@modelcontextprotocol/sdk/client/index.js";
import { StreamableHTTPClientTransport } from "@modelcontextprotocol/sdk/client/streamableHttp.js";

const [url, resource, clientId, clientSecret, calls] = process.argv.slice(2);
const inside = (outside) => {
  const target = new URL(outside);
  if (target.origin === new URL(resource).origin) {
    target.protocol = new URL(url).protocol;
    target.host = new URL(url).host;
  }
  return target;
};

const authProvider = new ClientCredentialsProvider({ clientId, clientSecret, scope: "read" });
const client = new Client({ name: "peer", version: "1.0.0" });
const transport = new StreamableHTTPClientTransport(new URL(resource), {
  authProvider,
  fetch: (outside, init) => fetch(inside(outside), init),
});
await client.connect(transport);
const tools = (await client.listTools()).tools.map((tool) => tool.name);
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
await client.close();
console.log(JSON.stringify({ revision: transport.protocolVersion, tools, results }));
