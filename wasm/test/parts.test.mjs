// The module in two parts, as the page loads it: alone the first does what a keystroke needs, together they are the whole.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { test } from "node:test";
import { cases } from "./cases.mjs";

const pack = new URL("../../target/pack/", import.meta.url);
const whole = createRequire(import.meta.url)(new URL("nodejs/vmcp.js", pack).pathname);
const [first, rest] = ["first", "rest"].map((name) => new WebAssembly.Module(readFileSync(new URL(`web/${name}.wasm`, pack))));
// A module keeps its instance for ever, so each test takes one of its own.
let copies = 0;
async function load() {
  const parts = await import(`${new URL("npm/web/vmcp.js", pack)}?${(copies += 1)}`);
  const exports = parts.initSync({ module: first });
  return { Session: parts.Session, validate: parts.validate, complete: () => new WebAssembly.Instance(rest, { first: exports }) };
}

test("the rest takes everything from the first part and nothing from the world", () => {
  assert.deepEqual([...new Set(WebAssembly.Module.imports(rest).map(({ module }) => module))], ["first"]);
  const given = new Set(WebAssembly.Module.exports(first).map(({ name }) => name));
  for (const { name } of WebAssembly.Module.imports(rest)) assert.ok(given.has(name), name);
  assert.deepEqual(WebAssembly.Module.exports(rest), []);
});

test("what needs the rest traps without it, and the first part goes on", async () => {
  const { Session, validate, complete } = await load();
  const session = new Session();
  const text = "name: x\nnmae: y\n";
  const utf8 = Buffer.from(text);
  const seen = session.glance(utf8);
  assert.ok(JSON.parse(seen).findings.length > 0);
  assert.throws(() => new Session().settings(0), WebAssembly.RuntimeError);
  assert.throws(() => validate(text, "x"), WebAssembly.RuntimeError);
  assert.equal(session.glance(utf8), seen);
  complete();
  assert.equal(session.check(utf8, 0), seen);
  assert.equal(validate(text, "x"), whole.validate(text, "x"));
});

test("both together answer every question as the whole does", async () => {
  const { Session, complete } = await load();
  const tools = '{"tools":[{"name":"a"},{"name":"b"}]}';
  const answers = (Kind, { text, files }, ready) => {
    const session = new Kind();
    // The first part has already judged something when the rest comes.
    session.glance(Buffer.from(text));
    ready();
    for (const [path, bytes] of Object.entries(files)) session.giveFile(path, bytes);
    session.giveVariables("A\nB");
    const all = [session.check(Buffer.from(text), 1.8e9), session.document(0), session.settings(0), session.compare(text.replace("name: ", "name: x"), 0), session.names(0, "", tools)];
    return [...all, session.hover(2, 3), session.choices(text, 3, 1), session.explain("yaml/syntax")];
  };
  let ready = complete;
  for (const one of cases().filter(({ text }) => text.length < 1 << 20)) {
    assert.deepEqual(answers(Session, one, ready), answers(whole.Session, one, () => {}), one.name);
    ready = () => {};
  }
});
