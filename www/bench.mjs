// What the page weighs, and how long a keystroke takes until its findings are shown: node bench.mjs, after `make preview-build`.
import { readFileSync } from "node:fs";
import { brotliCompressSync, gzipSync } from "node:zlib";
import { browser, open, serve, write } from "./test/browser.mjs";

const ROUNDS = 60;
const LOADS = 15;
const root = new URL("../target/", import.meta.url);
// As budgets are written: a kB is 1000 bytes.
const kb = (bytes) => `${(bytes / 1000).toFixed(0)} kB`;

console.log("The previewer: weight\n\n| what | raw | gzip | brotli |\n|---|---:|---:|---:|");
const weigh = (name, files) => {
  const parts = files.map((file) => readFileSync(new URL(file, root)));
  const sum = (pack) => kb(parts.reduce((total, part) => total + pack(part).length, 0));
  console.log(`| ${name} | ${sum((part) => part)} | ${sum(gzipSync)} | ${sum(brotliCompressSync)} |`);
};
weigh("the module that every visitor loads (budget 150 kB brotli)", ["pack/web/first.wasm"]);
weigh("the part of it that is loaded when it is needed", ["pack/web/rest.wasm"]);
weigh("the long texts beside it", ["pack/web/words.txt"]);
weigh("what every visitor loads", ["www/index.html", "www/main.js", "www/style.css"]);
weigh("the page with everything (budget 400 kB brotli)", ["www/index.html", "www/main.js", "www/rest.js", "www/style.css"]);

const [chromium, server] = [await browser(), await serve()];
const context = await chromium.newContext();
console.log("\nFrom a keystroke to its findings, in Chromium\n\n| text | median | p99 | budget |\n|---:|---:|---:|---|");
const page = await open(context, server.url);
for (const [backends, rounds, budget] of [[3, ROUNDS, ""], [400, ROUNDS, "16 ms median"], [4000, ROUNDS / 3, "100 ms median"]]) {
  const text = configuration(backends);
  await write(page, text);
  const times = [];
  for (let round = 0; round < rounds; round += 1) {
    times.push(await page.evaluate(keystroke));
  }
  times.sort((a, b) => a - b);
  const at = (part) => `${times[Math.min(times.length - 1, Math.floor(times.length * part))].toFixed(1)} ms`;
  console.log(`| ${kb(text.length)} | ${at(0.5)} | ${at(0.99)} | ${budget} |`);
}
const paints = [];
for (let round = 0; round < LOADS; round += 1) {
  // Nothing of an earlier visit is kept.
  const cold = await chromium.newContext();
  const visitor = await cold.newPage();
  await visitor.goto(server.url);
  paints.push(await visitor.evaluate(firstPaint));
  await cold.close();
}
paints.sort((a, b) => a - b);
const spread = [paints[0], paints[paints.length >> 1], paints[paints.length - 1]].map((one) => `${one.toFixed(0)} ms`);
console.log(`\nFirst contentful paint of a cold load from loopback, ${LOADS} times: least ${spread[0]}, median ${spread[1]}, most ${spread[2]}\n`);
await chromium.close();
server.stop();

/** Milliseconds until what was found is shown; runs in the page, and waits without looking again and again. */
function keystroke() {
  const { editor, shown } = window.vmcpPreview;
  return new Promise((done) => {
    const root = document.documentElement;
    const observer = new MutationObserver(() => {
      if (shown.text !== editor.text) return;
      observer.disconnect();
      done(shown.milliseconds);
    });
    observer.observe(root, { attributeFilter: ["data-checked"] });
    editor.view.dispatch({ changes: { from: 6, insert: "x" } });
  });
}

/** Since the navigation began, in milliseconds; runs in the page. The entry comes after the frame, so it is waited for. */
function firstPaint() {
  return new Promise((done, fail) => {
    setTimeout(() => fail(new Error("nothing was painted for 30 s")), 30_000);
    new PerformanceObserver((list) => {
      for (const { startTime } of list.getEntriesByName("first-contentful-paint")) done(startTime);
    }).observe({ type: "paint", buffered: true });
  });
}

function configuration(backends) {
  let text = "name: demo\ngroupRef: demo\nincomingAuth: {type: anonymous}\noutgoingAuth: {source: inline}\naggregation:\n  conflictResolution: prefix\n  conflictResolutionConfig: {prefixFormat: '{workload}_'}\nbackends:\n";
  for (let index = 0; index < backends; index += 1) {
    text += `- name: backend-${index}\n  url: https://mcp-${index}.partner.example/mcp\n  transport: streamable-http\n  type: entry\n  metadata:\n    group: demo\n    namespace: default\n    remote_url: https://mcp-${index}.partner.example/mcp\n    tool_type: mcp\n    workload_status: Ready\n`;
  }
  return text;
}
