// Runs the tests listed in tests.txt inside WebAssembly: names only what fails, then the counts.
// It stands beside the module that `vmcp-bindgen test` has just written.
"use strict";
const fs = require("node:fs");
const path = require("node:path");

// What the runtime of wasm_bindgen_test prints itself; a line for each passing test would drown the rest.
global.__wbgtest_og_console_log = (line) => {
  if (!/^test .* \.\.\. ok$/.test(line)) process.stdout.write(`${line}\n`);
};
global.__wbgtest_og_console_error = console.error;
global.__wbg_test_invoke = (test) => test();

// A panic reports itself on console.error; the runtime wants it so that it can show it below the test's name.
const recorders = {};
for (const method of ["debug", "log", "info", "warn", "error"]) {
  console[method] = (...lines) => recorders[method]?.(lines);
}

const wasm = require(path.join(__dirname, "tests.js"));
for (const method of ["debug", "log", "info", "warn", "error"]) {
  recorders[method] = wasm[`__wbgtest_console_${method}`];
}

async function main() {
  const names = fs.readFileSync(path.join(__dirname, "tests.txt"), "utf8").trimEnd().split("\n");
  const context = new wasm.WasmBindgenTestContext(false);
  // The runtime takes them from the end.
  const passed = await context.run(names.reverse().map((name) => wasm.__wasm[name]));
  process.exitCode = passed ? 0 : 1;
}

main().catch((error) => {
  global.__wbgtest_og_console_error(error);
  process.exitCode = 1;
});
