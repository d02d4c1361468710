// The package as others get it: packed by npm, installed into an empty project, imported by Node, and its types read by tsc.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { after, before, test } from "node:test";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("../../", import.meta.url));
let folder;

function run(program, ...given) {
  const { status, stdout, stderr, error } = spawnSync(program, given, { cwd: folder, encoding: "utf8" });
  assert.equal(status, 0, `${program} ${given.join(" ")}\n${error ?? ""}${stdout}${stderr}`);
  return stdout;
}

const write = (name, text) => writeFileSync(path.join(folder, name), text);

before(() => {
  folder = mkdtempSync(path.join(tmpdir(), "vmcp-npm-"));
  write("package.json", '{ "name": "scratch", "private": true, "type": "module" }');
  const [{ filename }] = JSON.parse(run("npm", "pack", path.join(root, "target/pack/npm"), "--json", "--cache", path.join(folder, "cache")));
  run("npm", "install", `./${filename}`, "--offline", "--ignore-scripts", "--no-audit", "--no-fund", "--cache", path.join(folder, "cache"));
});
after(() => folder && rmSync(folder, { recursive: true, force: true }));

test("it holds what its exports name, and nothing else", () => {
  const inside = path.join(folder, "node_modules/vmcp-wasm");
  const { version, exports } = JSON.parse(readFileSync(path.join(inside, "package.json"), "utf8"));
  assert.equal(version, readFileSync(path.join(root, "Cargo.toml"), "utf8").match(/^version = "(.*)"$/m)[1]);
  const files = (value) => (typeof value === "string" ? [value] : Object.values(value).flatMap(files));
  for (const name of files(exports)) readFileSync(path.join(inside, name));
  assert.deepEqual(readdirSync(inside).sort(), ["LICENSE", "README.md", "exchange", "node", "package.json", "schema.json", "web", "words.txt"]);
});

test("the example of its README runs in Node", () => {
  const [, example] = readFileSync(path.join(root, "wasm/README.md"), "utf8").match(/```js\n([\s\S]*?)```/);
  write("example.mjs", example);
  write("config.yaml", "name: team\nnmae: x\n");
  const said = run(process.execPath, "example.mjs");
  assert.match(said, /^2:1 config\/unknown-key: `nmae` is no key of the configuration/m);
  assert.match(said, /A key that is not known/i);
});

test("both modules are imported by Node, and by the condition for browsers", () => {
  write("node.mjs", `
    import { validate } from "vmcp-wasm";
    import { Server } from "vmcp-wasm/exchange";
    import schema from "vmcp-wasm/schema.json" with { type: "json" };
    const todo = JSON.parse(new Server("scratch", "1").listTools().poll());
    console.log(JSON.stringify([JSON.parse(validate("", "x")).valid, todo.do, todo.method, schema.$schema]));`);
  const plain = JSON.parse(run(process.execPath, "--no-warnings", "node.mjs"));
  assert.deepEqual(plain, [false, "send", "POST", "https://json-schema.org/draft/2020-12/schema"]);
  // What a bundler takes: an ES module that is given its WebAssembly.
  write("browser.mjs", `
    import { readFileSync } from "node:fs";
    import { createRequire } from "node:module";
    import { Session, initSync } from "vmcp-wasm";
    import { Server, initSync as initExchange } from "vmcp-wasm/exchange";
    const { resolve } = createRequire(import.meta.url);
    initSync({ module: readFileSync(resolve("vmcp-wasm/vmcp.wasm")) });
    initExchange({ module: readFileSync(resolve("vmcp-wasm/exchange.wasm")) });
    console.log(JSON.parse(new Session().check(Buffer.from("name: x"), 0)).findings.length > 0, JSON.parse(new Server("scratch", "1").listTools().poll()).do);`);
  assert.equal(run(process.execPath, "--conditions=browser", "browser.mjs"), "true send\n");
});

test("its types are read by tsc, and tell one answer from another", () => {
  write("types.ts", `
    import { Session, validate, type Json, type View } from "vmcp-wasm";
    import { Server } from "vmcp-wasm/exchange";
    function read<T>(text: Json<T>): T { return JSON.parse(text); }
    const session = new Session();
    const view: View = read(session.check(new Uint8Array(), 0));
    const line: number | undefined = view.findings[0]?.at?.line;
    const rejected: number | undefined = read(session.document(0))?.backends.filter(({ standing }) => standing === "rejected").length;
    const explained: string | undefined = read(session.explain("yaml/syntax"))?.text;
    const valid: boolean = read(validate("", "x")).valid;
    // @ts-expect-error there is no such member
    view.nothing;
    // @ts-expect-error a comparison is no view
    const wrong: View = read(session.compare("", 0));
    new Server("scratch", "1").call("tools/call", "{}").poll();
    export { line, rejected, explained, valid, wrong };`);
  for (const conditions of [[], ["--customConditions", "browser"]]) {
    run(path.join(root, "www/node_modules/.bin/tsc"), "--noEmit", "--strict", "--target", "es2023", "--module", "nodenext", "--types", "", "--lib", "es2023,dom,esnext.disposable", ...conditions, "types.ts");
  }
});
