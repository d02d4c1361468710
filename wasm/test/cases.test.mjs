// Every case says the same in the program, in Node, and in what the page asks.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { existsSync, readFileSync, readdirSync } from "node:fs";
import { createRequire } from "node:module";
import path from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("../../", import.meta.url));
const { Session, validate } = createRequire(import.meta.url)(path.join(root, "target/pack/nodejs/vmcp.js"));
const cases = path.join(root, "tests/cases/config");

const repeat = (text) => text.replace(/%repeat (\d+)\n([\s\S]*?)%end\n/g, (_, count, unit) => unit.repeat(Number(count)));

/** What a case feeds the program; nothing for one that looks at the machine or is no text. */
function input(folder) {
  const has = (name) => existsSync(path.join(folder, name));
  if (["env", "ca", "arguments", "process"].some(has)) return null;
  const name = ["config.yaml", "config.json", "config.repeat"].find(has);
  const bytes = readFileSync(path.join(folder, name));
  if (!Buffer.from(bytes.toString("utf8")).equals(bytes)) return null;
  const text = bytes.toString("utf8");
  // The program reads no more of an input than tells that it is too large.
  return name === "config.repeat" ? repeat(text).slice(0, (64 << 20) + 1) : text;
}

/** Matchers are judged by the program alone: the library that reads CEL needs std. */
const OF_THE_PROGRAM = "auth/bad-matcher";

test("every case has the same findings at the same places", () => {
  const told = (one) => [one.code, one.severity, one.message, one.help, one.path];
  let judged = 0;
  for (const name of readdirSync(cases, { recursive: true })) {
    const folder = path.join(cases, name);
    if (!["config.yaml", "config.json", "config.repeat"].some((file) => existsSync(path.join(folder, file)))) continue;
    const text = input(folder);
    if (text === null) continue;
    judged += 1;
    const program = spawnSync(path.join(root, "target/debug/vmcp"), ["validate", "-", "--format", "json"], { input: text, maxBuffer: 1 << 28 });
    const native = JSON.parse(program.stdout).diagnostics.filter((one) => one.code !== OF_THE_PROGRAM);
    const node = JSON.parse(validate(text, "<stdin>")).diagnostics;
    const page = JSON.parse(new Session().check(text, Date.now() / 1000)).findings;
    assert.deepEqual(node.map(told), native.map(told), name);
    assert.deepEqual(page.map(told), native.map(told), name);
    assert.deepEqual(node.map((one) => one.line), native.map((one) => one.line), name);
    const place = (one) => [one.line, one.column, one.endLine, one.endColumn].map((part) => part ?? null);
    assert.deepEqual(page.map(({ at }) => place(at ?? {})), node.map(place), name);
  }
  assert.ok(judged > 30, `${judged} cases`);
});
