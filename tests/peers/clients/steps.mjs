// Drives a client of the TypeScript SDK through steps: steps.mjs 1|2 MODE URL STEPS CAN; see README.md. With
// CREDENTIALS, the client of the SDK 1 gets itself a token first.
const [line, mode, url, steps, can] = process.argv.slice(2);

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
  { capabilities, ...(line === "2" && { versionNegotiation: { mode } }) },
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
hearing("notifications/tools/list_changed", "ToolListChangedNotificationSchema", () => note("changed", "tools"));
hearing("notifications/prompts/list_changed", "PromptListChangedNotificationSchema", () => note("changed", "prompts"));

const { CREDENTIALS } = process.env;
const place = CREDENTIALS
  ? (await import("./credentials.mjs")).withCredentials(url, JSON.parse(CREDENTIALS))
  : [new URL(url)];
const transport = url.endsWith("/sse") ? new SSEClientTransport(...place) : new StreamableHTTPClientTransport(...place);
await client.connect(transport);
const revision = client.getNegotiatedProtocolVersion?.() ?? transport.protocolVersion ?? "";
const hasSessions = revision < "2026";
// Where there are none: what every call asks for, and the streams of changes.
let meta;
const changes = new Map();

async function listed(ask, member) {
  const items = [];
  let cursor;
  do {
    const page = await ask(cursor === undefined ? {} : { cursor });
    note("pages", member);
    items.push(...page[member]);
    cursor = page.nextCursor;
  } while (cursor !== undefined);
  return items;
}

async function step(wanted) {
  // The client itself says which round of questions it is in.
  const own = (message) => message?.startsWith("Fulfilling input required");
  const options = {
    onprogress: ({ progress, total, message }) => own(message) || note("progress", [progress, total, message]),
  };
  const call = (name, more) => {
    const params = { name, arguments: wanted.arguments ?? {}, ...(meta && { _meta: meta }) };
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
  if (wanted.level) {
    if (hasSessions) await client.setLoggingLevel(wanted.level);
    else meta = { "io.modelcontextprotocol/logLevel": wanted.level };
    return {};
  }
  const uri = wanted.subscribe ?? wanted.unsubscribe;
  if (wanted.subscribe) {
    if (hasSessions) await client.subscribeResource({ uri });
    else changes.set(uri, await client.listen({ resourceSubscriptions: [uri] }));
    return {};
  }
  if (wanted.unsubscribe) {
    if (hasSessions) await client.unsubscribeResource({ uri });
    else await changes.get(uri).close();
    return {};
  }
  if (wanted.watch) {
    const filter = Object.fromEntries(wanted.watch.map((kind) => [`${kind}ListChanged`, true]));
    if (!hasSessions) changes.set("lists", await client.listen(filter));
    return {};
  }
  throw new TypeError(`no step: ${JSON.stringify(wanted)}`);
}

const done = [];
for (const wanted of JSON.parse(steps)) {
  let came;
  try {
    came = { result: await step(wanted) };
  } catch (error) {
    if (error.code === undefined) throw error;
    // The older line puts the code before what the server says.
    const message = error.message.replace(/^MCP error -\d+: /, "");
    came = { error: { code: error.code, message, data: error.data } };
  }
  if (came.error) console.error(wanted, came.error);
  else await enough(wanted.until ?? {});
  done.push({ ...came, ...heard });
  heard = {};
}
await client.close();
process.stdout.write(`${JSON.stringify({ revision, steps: done })}\n`, () => process.exit(0));
