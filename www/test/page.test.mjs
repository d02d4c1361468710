// The built page as files: complete, closed to the network, small, and served as it is.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync, readdirSync } from "node:fs";
import { request } from "node:http";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { brotliCompressSync } from "node:zlib";

const built = new URL("../../target/www/", import.meta.url);
const read = (name) => readFileSync(new URL(name, built), "utf8");
const policy = (name) => read(name).match(/http-equiv="Content-Security-Policy" content="([^"]+)"/)[1];

test("every file that the page names was built, and none is elsewhere", () => {
  const names = [...read("index.html").matchAll(/(?:src|href)="([^"]+)"/g)].map(([, name]) => name);
  assert.deepEqual(names.sort(), ["data:,", "main.js", "style.css"]);
  assert.deepEqual(readdirSync(built).sort(), ["index.html", "main.js", "rest.js", "style.css", "sw.js", "vmcp-preview.html"]);
  const single = read("vmcp-preview.html").split("<script>")[0];
  assert.doesNotMatch(single, /src=|href="(?!data:,)/);
});

test("every English text of the page stands in one file", () => {
  const source = readFileSync(new URL("../index.html", import.meta.url), "utf8");
  const words = source.replace(/\{\{\w+\}\}|%[A-Z]+%|<!doctype html>/g, "").replace(/<[^>]*>/g, (tag) => (tag.match(/(?:aria-label|title|placeholder|alt)="[^"]*"/g) ?? []).join(" "));
  assert.equal(words.replace(/(aria-label|title|placeholder|alt)=""/g, "").trim(), "");
  assert.doesNotMatch(read("index.html"), /\{\{|%[A-Z]+%/);
  for (const name of readdirSync(new URL("../src/", import.meta.url)).filter((name) => name.endsWith(".ts") && name !== "texts.ts")) {
    const code = readFileSync(new URL(`../src/${name}`, import.meta.url), "utf8").replace(/^\s*(\/\/|\/?\*).*$/gm, "");
    const sentences = [...code.matchAll(/(["`])([A-Z][a-z]+ [a-z][^"`]*)\1/g)].map(([, , text]) => text);
    assert.deepEqual(sentences, [], name);
  }
});

test("the page may connect to nothing", () => {
  for (const name of ["index.html", "vmcp-preview.html"]) {
    const rules = Object.fromEntries(policy(name).split("; ").map((rule) => [rule.split(" ")[0], rule.split(" ").slice(1).join(" ")]));
    assert.equal(rules["default-src"], "'none'");
    assert.equal(rules["connect-src"], "'none'");
    assert.equal(rules["base-uri"], "'none'");
    assert.equal(rules["form-action"], "'none'");
    assert.equal(rules["img-src"], "data: blob:");
    assert.doesNotMatch(policy(name), /unsafe-inline|unsafe-eval'(?<!'wasm-unsafe-eval')|https?:|\*/);
  }
});

test("the page is small enough to load", () => {
  const packed = (bytes) => brotliCompressSync(bytes).length;
  const weigh = (...names) => names.reduce((sum, name) => sum + packed(read(name)), 0);
  const first = readFileSync(new URL("../../target/pack/web/first.wasm", import.meta.url));
  const budgets = [
    ["the module that every visitor loads", packed(first), 148_500],
    ["what every visitor loads", weigh("index.html", "main.js", "style.css"), 300_000],
    ["the page with everything", weigh("index.html", "main.js", "rest.js", "style.css"), 394_000],
  ];
  for (const [what, weight, limit] of budgets) assert.ok(weight <= limit, `${what}: ${weight} bytes; at most ${limit}`);
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
