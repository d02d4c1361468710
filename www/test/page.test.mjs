// The built page as files: complete, closed to the network, and served as it is.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync, readdirSync } from "node:fs";
import { request } from "node:http";
import { test } from "node:test";
import { fileURLToPath } from "node:url";

const built = new URL("../../target/www/", import.meta.url);
const read = (name) => readFileSync(new URL(name, built), "utf8");

test("every file that the page names was built, and none is elsewhere", () => {
  const names = [...read("index.html").matchAll(/(?:src|href)="([^"]+)"/g)].map(([, name]) => name);
  assert.deepEqual(names, ["data:,", "style.css", "main.js"]);
  const imported = [...read("main.js").matchAll(/from "\.\/([^"]+)"/g)].map(([, name]) => name);
  assert.deepEqual([...imported, ...names.slice(1), "index.html"].sort(), readdirSync(built).sort());
});

test("the page may connect to nothing", () => {
  const [, policy] = read("index.html").match(/http-equiv="Content-Security-Policy"\s+content="([^"]+)"/);
  const rules = Object.fromEntries(policy.split("; ").map((rule) => [rule.split(" ")[0], rule.split(" ").slice(1)]));
  assert.deepEqual(rules["default-src"], ["'none'"]);
  assert.deepEqual(rules["connect-src"], ["'none'"]);
  assert.deepEqual(rules["form-action"], ["'none'"]);
  assert.deepEqual(rules["script-src"], ["'self'", "'wasm-unsafe-eval'"]);
});

test("the page's own module answers like the package", async () => {
  const load = (name) => import(`data:text/javascript,${encodeURIComponent(read(name))}`);
  const { initSync, validate } = await load("vmcp.js");
  const { default: module } = await load("module.js");
  initSync({ module: Buffer.from(module, "base64") });
  const report = JSON.parse(validate("nmae: x\n", "input"));
  assert.equal(report.valid, false);
  assert.ok(report.diagnostics.some(({ line, column }) => line === 1 && column === 1));
});

test("the server gives the page to loopback and nothing else", async (context) => {
  const server = spawn(process.execPath, [fileURLToPath(new URL("../serve.mjs", import.meta.url)), fileURLToPath(built)]);
  context.after(() => server.kill());
  const [line] = await once(server.stdout.setEncoding("utf8"), "data");
  const { host, port } = new URL(line.trim());
  const status = async (path, asked) => {
    const [response] = await once(request({ host: "127.0.0.1", port, path, headers: { host: asked } }).end(), "response");
    response.resume();
    return [response.statusCode, response.headers["content-type"]];
  };
  assert.deepEqual(await status("/", host), [200, "text/html; charset=utf-8"]);
  assert.deepEqual(await status("/main.js", host), [200, "text/javascript; charset=utf-8"]);
  assert.deepEqual(await status("/../build.mjs", host), [404, undefined]);
  assert.deepEqual(await status("/", "attacker.example"), [421, undefined]);
});
