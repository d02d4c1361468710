// The package as Node loads it: what it says, what it may reach, and how much it weighs.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { test } from "node:test";
import { brotliCompressSync } from "node:zlib";

const folder = new URL("../../target/pack/nodejs/", import.meta.url);
const { validate } = createRequire(import.meta.url)(new URL("vmcp.js", folder).pathname);
const bytes = readFileSync(new URL("vmcp_bg.wasm", folder));

const CONFIG = `name: team
groupRef: team
incomingAuth: {type: anonymous}
outgoingAuth: {source: inline}
aggregation: {conflictResolution: prefix, conflictResolutionConfig: {prefixFormat: "{workload}_"}}
backends:
- name: tickets
  url: https://tickets.example/mcp
  transport: streamable-http
  type: entry
  caBundlePath: /etc/toolhive/ca-bundles/tickets/ca.crt
`;

test("a sound configuration is valid and says what its pod needs", () => {
  const report = JSON.parse(validate(CONFIG, "vmcp.yaml"));
  assert.equal(report.file, "vmcp.yaml");
  assert.deepEqual(report.diagnostics.filter(({ severity }) => severity === "error"), []);
  assert.equal(report.valid, true);
  assert.deepEqual(report.needs.files, ["/etc/toolhive/ca-bundles/tickets/ca.crt"]);
});

test("columns count what JavaScript's strings count", () => {
  const before = '- {description: "😀é", ';
  const report = JSON.parse(validate(CONFIG.replace("- name: tickets", `${before}nmae: x}\n- name: tickets`), "x"));
  const finding = report.diagnostics.find(({ message }) => message.includes("nmae"));
  assert.ok(finding, JSON.stringify(report.diagnostics));
  assert.equal(finding.severity, "error");
  assert.deepEqual([finding.line, finding.column], [7, before.length + 1]);
  assert.deepEqual([finding.endLine, finding.endColumn], [7, before.length + 1 + "nmae".length]);
});

test("text of any kind gives findings, never an exception", () => {
  for (const text of ["", "\0", "\ud800", "\ufeff", "- ".repeat(5000), "a: &a [*a, *a]", "{".repeat(100_000)]) {
    const report = JSON.parse(validate(text, "x"));
    assert.equal(report.valid, false, JSON.stringify(text.slice(0, 20)));
    assert.ok(report.diagnostics.length > 0);
  }
});

test("the module imports nothing that could reach the world", () => {
  const imports = WebAssembly.Module.imports(new WebAssembly.Module(bytes)).map(({ name }) => name);
  assert.deepEqual(imports.map((name) => name.replace(/_[0-9a-f]{16}$/, "")).sort(), ["__wbg___wbindgen_throw", "__wbindgen_init_externref_table"]);
});

// The page loads it in two parts; what each may weigh is a test of the page.
test("the module as a whole stays small", () => {
  const [packed, limit] = [brotliCompressSync(bytes).length, 230_000];
  assert.ok(packed <= limit, `${packed} bytes; at most ${limit}`);
});
