// Every case says the same in the program, in Node, and in what the page asks.
import assert from "node:assert/strict";
import { createRequire } from "node:module";
import { test } from "node:test";
import { cases, said } from "./cases.mjs";

const { Session, validate } = createRequire(import.meta.url)(new URL("../../target/pack/nodejs/vmcp.js", import.meta.url).pathname);

test("every case has the same findings at the same places", () => {
  let judged = 0;
  for (const { name, text, files, native } of cases()) {
    judged += 1;
    const program = native();
    const session = new Session();
    const utf8 = Buffer.from(text);
    const bundles = Object.entries(files);
    for (const [path, bytes] of bundles) session.giveFile(path, bytes);
    const page = JSON.parse(session.check(utf8, Date.now() / 1000)).findings;
    const glance = JSON.parse(session.glance(utf8));
    assert.deepEqual(page.map(said), program.map(said), name);
    assert.deepEqual(page.map(({ at }) => at?.line ?? null), program.map(({ line }) => line ?? null), name);
    if (name.startsWith("render/") || bundles.length > 0) {
      assert.equal(glance, null, name);
      continue;
    }
    assert.deepEqual(glance.findings, page, name);
    const node = JSON.parse(validate(text, "<stdin>")).diagnostics;
    const told = (one) => [...said(one), one.help, one.path];
    const place = (one) => [one.line, one.column, one.endLine, one.endColumn].map((part) => part ?? null);
    assert.deepEqual(node.map(told), program.map(told), name);
    assert.deepEqual(page.map(told), program.map(told), name);
    assert.deepEqual(page.map(({ at }) => place(at ?? {})), node.map(place), name);
  }
  assert.ok(judged > 150, `${judged} cases`);
});
