// Drives a client of the TypeScript SDK through steps: steps.mjs 1|2 URL STEPS CAN; see README.md.
const [line, url, steps, can] = process.argv.slice(2);

const { Client, StreamableHTTPClientTransport, SSEClientTransport } =
  line === "1"
    ? {
        ...(await import("@modelcontextprotocol/sdk/client/index.js")),
        ...(await import("@modelcontextprotocol/sdk/client/streamableHttp.js")),
        ...(await import("@modelcontextprotocol/sdk/client/sse.js")),
      }
    : await import("@modelcontextprotocol/client");
const types = line === "1" ? await import("@modelcontextprotocol/sdk/types.js") : undefined;

let heard = {};
let tell = () => {};
const note = (kind, value) => {
  (heard[kind] ??= []).push(value);
  tell();
};
async function enough(until) {
  const deadline = AbortSignal.timeout(20_000);
  while (Object.entries(until).some(([kind, count]) => (heard[kind] ?? []).length < count)) {
    await new Promise((resolve, reject) => {
      tell = resolve;
      deadline.onabort = () => reject(new Error(`not heard: ${JSON.stringify(until)}; heard: ${JSON.stringify(heard)}`));
    });
  }
}

const all = { elicitation: { form: {} }, sampling: {}, roots: {} };
const capabilities = Object.fromEntries(JSON.parse(can).map((name) => [name, all[name]]));
const client = new Client(
  { name: "peer", version: "1.0.0" },
  { capabilities, ...(line === "2" && { versionNegotiation: { mode: "auto" } }) },
);
const answering = (name, method, schema, answer) => {
  if (capabilities[name]) client.setRequestHandler(types?.[schema] ?? method, answer);
};
const hearing = (method, schema, hear) => client.setNotificationHandler(types?.[schema] ?? method, hear);

const value = (field) =>
  field.default ??
  { array: [], boolean: true, integer: 1, number: 1.5 }[field.type] ??
  field.enum?.[0] ??
  field.oneOf?.[0].const ??
  "x";
answering("elicitation", "elicitation/create", "ElicitRequestSchema", async ({ params }) => {
  note("asked", params);
  const fields = Object.entries(params.requestedSchema.properties);
  return { action: "accept", content: Object.fromEntries(fields.map(([name, field]) => [name, value(field)])) };
});
answering("sampling", "sampling/createMessage", "CreateMessageRequestSchema", async ({ params }) => {
  note("asked", params);
  return { role: "assistant", content: { type: "text", text: "a word" }, model: "m" };
});
answering("roots", "roots/list", "ListRootsRequestSchema", async () => {
  note("asked", "roots");
  return { roots: [{ uri: "file:///here", name: "here" }] };
});
hearing("notifications/message", "LoggingMessageNotificationSchema", ({ params }) => note("logged", params));
hearing("notifications/resources/updated", "ResourceUpdatedNotificationSchema", ({ params }) => note("updated", params));

const transport = url.endsWith("/sse")
  ? new SSEClientTransport(new URL(url))
  : new StreamableHTTPClientTransport(new URL(url));
await client.connect(transport);

async function listed(ask, member) {
  const items = [];
  let cursor;
  do {
    const page = await ask(cursor === undefined ? {} : { cursor });
    items.push(...page[member]);
    cursor = page.nextCursor;
  } while (cursor !== undefined);
  return items;
}

async function step(wanted) {
  const options = { onprogress: ({ progress, total, message }) => note("progress", [progress, total, message]) };
  const call = (name, more) => {
    const params = { name, arguments: wanted.arguments ?? {} };
    return line === "1"
      ? client.callTool(params, undefined, { ...options, ...more })
      : client.callTool(params, { ...options, ...more });
  };
  if (wanted.list) {
    return {
      tools: () => listed((cursor) => client.listTools(cursor), "tools"),
      resources: () => listed((cursor) => client.listResources(cursor), "resources"),
      templates: () => listed((cursor) => client.listResourceTemplates(cursor), "resourceTemplates"),
      prompts: () => listed((cursor) => client.listPrompts(cursor), "prompts"),
    }[wanted.list]();
  }
  if (wanted.call) return call(wanted.call);
  if (wanted.cancel) {
    const stop = new AbortController();
    const called = call(wanted.cancel, { signal: stop.signal });
    const ended = called.then(
      () => "answered",
      () => "cancelled",
    );
    await enough({ progress: 1 });
    stop.abort();
    return ended;
  }
  if (wanted.prompt) return client.getPrompt({ name: wanted.prompt, arguments: wanted.arguments ?? {} });
  if (wanted.read) return client.readResource({ uri: wanted.read });
  if (wanted.complete) return client.complete(wanted.complete);
  if (wanted.level) return client.setLoggingLevel(wanted.level);
  if (wanted.subscribe) return client.subscribeResource({ uri: wanted.subscribe });
  if (wanted.unsubscribe) return client.unsubscribeResource({ uri: wanted.unsubscribe });
  throw new TypeError(`no step: ${JSON.stringify(wanted)}`);
}

const done = [];
for (const wanted of JSON.parse(steps)) {
  let came;
  try {
    came = { result: await step(wanted) };
  } catch (error) {
    if (error.code === undefined) throw error;
    came = { error: { code: error.code, message: error.message, data: error.data } };
  }
  if (came.error) console.error(wanted, came.error);
  else await enough(wanted.until ?? {});
  done.push({ ...came, ...heard });
  heard = {};
}
const revision = client.getNegotiatedProtocolVersion?.() ?? transport.protocolVersion ?? "";
await client.close();
console.log(JSON.stringify({ revision, steps: done }));
process.exit(0);
