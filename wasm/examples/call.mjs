// Calls a tool of an MCP server with `fetch`; the protocol is the module's:
//
//   node wasm/examples/call.mjs http://127.0.0.1:3000/mcp add '{"a":1,"b":2}'
import { createRequire } from "node:module";

const { Server } = createRequire(import.meta.url)("../../target/pack/exchange/vmcp.js");

/** Drives one conversation to its end, and gives the result as JSON text. */
export async function drive(url, server, conversation) {
  let reading = null;
  for (;;) {
    const todo = JSON.parse(conversation.poll());
    if (todo === null) {
      // An answer is awaited: give it what has come, piece by piece.
      if (reading === null) throw new Error("nothing is awaited");
      const part = await reading.read().catch((error) => ({ failed: String(error) }));
      if (part.failed) conversation.failed(part.failed);
      else if (part.done) conversation.end();
      else conversation.body(part.value);
      if (part.failed || part.done) reading = null;
      continue;
    }
    if (todo.do === "pause") await new Promise((done) => setTimeout(done, todo.milliseconds));
    if (todo.do === "send" || todo.do === "aside") {
      const { method, headers, body } = todo;
      const request = fetch(url, { method, headers, body: method === "POST" ? body : undefined, redirect: "manual" });
      if (todo.do === "aside") {
        request.then((response) => response.body?.cancel()).catch(() => {});
        continue;
      }
      await reading?.cancel().catch(() => {});
      reading = null;
      try {
        const response = await request;
        conversation.head(response.status, JSON.stringify(Object.fromEntries(response.headers)));
        reading = (response.body ?? new Blob([]).stream()).getReader();
      } catch (error) {
        conversation.failed(String(error.cause ?? error));
      }
    }
    if (todo.do === "answer" || todo.do === "error") {
      server.learn(conversation);
      await reading?.cancel().catch(() => {});
      if (todo.do === "error") throw new Error(todo.message);
      return todo.result;
    }
  }
}

/** Calls one tool, and ends the session. */
export async function call(url, tool, given) {
  const server = new Server("example", "1");
  const params = JSON.stringify({ name: tool, arguments: given });
  const result = await drive(url, server, server.call("tools/call", params));
  await drive(url, server, server.end());
  return JSON.parse(result);
}

if (process.argv[1] === import.meta.filename) {
  const [url, tool, given = "{}"] = process.argv.slice(2);
  console.log(JSON.stringify(await call(url, tool, JSON.parse(given)), null, 2));
}
