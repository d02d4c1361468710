// The page in a real browser: what a person does with it, and what nobody can do with it.
import assert from "node:assert/strict";
import { readFileSync, readdirSync } from "node:fs";
import { createServer } from "node:http";
import { createRequire } from "node:module";
import { after, before, test } from "node:test";
import { browser, built, open, says, serve, shoot, write } from "./browser.mjs";
import { cases, said } from "../../wasm/test/cases.mjs";
import { trapping } from "./module.mjs";

const AXE = createRequire(import.meta.url).resolve("axe-core");
const samples = new URL("../../tests/cases/config/samples/", import.meta.url);
const sample = (name) => readFileSync(new URL(`${name}/config.yaml`, samples), "utf8");

let chromium, server, context;
before(async () => {
  [chromium, server] = [await browser(), await serve()];
  context = await chromium.newContext({ viewport: { width: 1360, height: 850 } });
});
after(async () => {
  await chromium?.close();
  server?.stop();
});

/** The lines and columns at which the editor underlines. */
const underlined = (page) =>
  page.evaluate(() => {
    const { view } = window.vmcpPreview.editor;
    return [...view.contentDOM.querySelectorAll(".cm-lintRange")].map((mark) => {
      const at = view.posAtDOM(mark);
      const line = view.state.doc.lineAt(at);
      return [line.number, at - line.from + 1, mark.textContent];
    });
  });

test("typing shows findings where they are, as one types", async () => {
  const page = await open(context, server.url);
  await page.locator(".cm-content").click();
  await page.keyboard.type("nmae: team\n");
  await says(page, /does not start/);
  await page.waitForFunction(() => document.querySelectorAll("#findings li").length > 0);
  await page.waitForFunction(() => window.vmcpPreview.editor.view.contentDOM.querySelector(".cm-lintRange-error"));
  await page.waitForFunction(() => window.vmcpPreview.shown.text === "nmae: team\n");
  assert.deepEqual((await underlined(page))[0], [1, 1, "nmae"]);
  const listed = await page.locator("#findings li").allInnerTexts();
  assert.ok(listed.some((one) => /^error line\s1, column\s1: `nmae` is no key/.test(one)), listed.join("\n"));
  assert.deepEqual(page.complaints, []);
  await page.close();
});

test("columns count what the editor counts, inside of a ConfigMap too", async () => {
  const page = await open(context, server.url);
  await write(page, 'kind: ConfigMap\nmetadata: {name: x}\ndata:\n  config.yaml: |\n    "😀é": {}\n    metadata: {a: "😀", b: [x]}\n');
  await page.waitForFunction(() => window.vmcpPreview.editor.view.contentDOM.querySelectorAll(".cm-lintRange-error").length >= 2);
  const marks = await underlined(page);
  assert.ok(marks.some((mark) => JSON.stringify(mark) === JSON.stringify([5, 5, '"😀é"'])), JSON.stringify(marks));
  assert.ok(marks.some((mark) => JSON.stringify(mark) === JSON.stringify([6, 25, "b"])), JSON.stringify(marks));
  await page.close();
});

test("a fix is applied from the list, and all safe ones at once; the rest stays byte for byte", async () => {
  const page = await open(context, server.url);
  const crlf = sample("11-mistyped-key").replaceAll("\n", "\r\n");
  await write(page, `\ufeff${crlf}`);
  await page.locator("#findings .fix").first().click();
  await says(page, /^starts; 1 of 1 served$/);
  const whole = () => page.evaluate(() => window.vmcpPreview.editor.wholeText);
  assert.equal(await whole(), `\ufeff${crlf.replace("transprot", "transport")}`);
  await write(page, sample("18-discovered"));
  await page.waitForFunction(() => document.querySelectorAll("#findings li").length === 2);
  await page.locator("#fix-all").click();
  await page.waitForFunction(() => document.querySelectorAll("#findings li").length === 1);
  assert.equal(await whole(), sample("18-discovered").replace("type: discovered", "type: unauthenticated"));
  assert.equal(await page.locator("#done").textContent(), "1 safe fix applied.");
  assert.deepEqual(page.complaints, []);
  await page.close();
});

test("a finding leads to its place, and tells what it means", async () => {
  const page = await open(context, server.url);
  await write(page, sample("13-stdio"));
  await page.locator("#findings .head").first().click();
  const selected = await page.evaluate(() => {
    const { state } = window.vmcpPreview.editor.view;
    return state.sliceDoc(state.selection.main.from, state.selection.main.to);
  });
  assert.equal(selected, "stdio");
  await page.locator("#findings .code").first().click();
  await page.waitForFunction(() => /need a process/.test(document.querySelector("#findings .more").textContent));
  await shoot(page, "findings");
  await page.close();
});

test("keys and values are completed and explained", async () => {
  const page = await open(context, server.url);
  await page.locator(".cm-content").click();
  await page.keyboard.type("incomingAuth:\n  ty");
  await page.locator(".cm-tooltip-autocomplete li", { hasText: "type" }).waitFor();
  await page.waitForTimeout(100); // CodeMirror takes no key for 75 ms after a list has opened.
  await page.keyboard.press("Enter");
  await page.keyboard.type("an");
  await page.locator(".cm-tooltip-autocomplete li", { hasText: "anonymous" }).waitFor();
  await shoot(page, "completion");
  await page.waitForTimeout(100);
  await page.keyboard.press("Enter");
  assert.equal(await page.evaluate(() => window.vmcpPreview.editor.text), "incomingAuth:\n  type: anonymous");
  await page.locator(".cm-line span", { hasText: /^incomingAuth$/ }).hover();
  await page.locator(".about", { hasText: "How callers are identified" }).waitFor();
  await page.close();
});

test("the configuration inside of a ConfigMap has the colours of YAML, and other texts there have not", async () => {
  const page = await open(context, server.url);
  await write(page, "kind: ConfigMap\nmetadata: {name: x}\ndata:\n  config.yaml: |\n    groupRef: inside # why\n  other: |\n    groupRef: outside\n");
  const colour = (text) => page.locator(".cm-line span", { hasText: text }).first().evaluate((span) => getComputedStyle(span).color);
  await page.locator(".cm-line span", { hasText: /^groupRef$/ }).waitFor();
  assert.equal(await page.locator(".cm-line span", { hasText: /^groupRef$/ }).count(), 1);
  assert.equal(await colour(/^groupRef$/), await colour(/^data$/));
  assert.notEqual(await colour(/^# why$/), await colour(/^inside$/));
  await page.close();
});

test("what only the program can judge is said", async () => {
  const page = await open(context, server.url);
  await write(page, readFileSync(new URL("../../tests/cases/config/auth/bad-matcher/config.yaml", import.meta.url), "utf8"));
  assert.equal(await page.locator("#matchers").textContent(), "The matchers on lines 17, 18 are not judged here: only the program reads CEL, so ask vmcp validate too.");
  await write(page, sample("01-minimal"));
  assert.equal(await page.locator("#matchers").isHidden(), true);
  await page.close();
});

test("the second part of the module is loaded when it is needed, and not before", async () => {
  const own = await chromium.newContext({ serviceWorkers: "block" });
  const page = await own.newPage();
  page.setDefaultTimeout(60_000);
  const asked = [];
  page.on("request", (request) => asked.push(new URL(request.url()).pathname));
  await page.goto(server.url);
  await write(page, sample("05-deployment"));
  for (const tab of ["picture", "backends", "findings"]) await page.locator(`#tab-${tab}`).click();
  assert.deepEqual(asked.filter((path) => path.endsWith(".js")), ["/main.js"]);
  await page.locator("#tab-settings").click();
  await page.locator("#table-settings tbody tr").first().waitFor();
  await page.locator("#tab-compare").click();
  await page.locator("#take-old").click();
  assert.deepEqual(asked.filter((path) => path.endsWith(".js")), ["/main.js", "/rest.js"]);
  await own.close();
  // Where it cannot be loaded, the page says so and goes on.
  const cut = await chromium.newContext({ serviceWorkers: "block" });
  const alone = await cut.newPage();
  await alone.route("**/rest.js", (route) => route.abort());
  await alone.goto(server.url);
  await alone.locator("#tab-settings").click();
  await alone.waitForFunction(() => /rest\.js cannot be loaded/.test(document.getElementById("settings-said").textContent));
  await alone.locator("#tab-findings").click();
  assert.equal((await write(alone, sample("13-stdio"))).documents.length, 1);
  await cut.close();
});

test("the picture shows each backend, leads to the text, and stays readable with 300", async () => {
  const page = await open(context, server.url);
  await write(page, sample("04-default-auth"));
  await page.locator("#tab-picture").click();
  const cards = page.locator("#drawing [role=button]");
  await cards.nth(2).waitFor();
  assert.deepEqual(await cards.evaluateAll((all) => all.map((one) => one.querySelector("title").textContent)), [
    "team, callers: anonymous",
    "tickets: served; https://tickets.partner.example/mcp; entry, streamable-http; system roots; header_injection Authorization",
    "docs: served; https://docs.partner.example/mcp; entry, sse; system roots; unauthenticated",
  ]);
  await cards.nth(2).focus();
  await page.keyboard.press("Enter");
  const selected = await page.evaluate(() => {
    const { state } = window.vmcpPreview.editor.view;
    return state.doc.lineAt(state.selection.main.from).text;
  });
  assert.equal(selected, "- name: docs");
  await shoot(page, "picture");
  await write(page, many(20));
  await page.locator("#drawing [role=button]").nth(20).waitFor();
  await page.locator("#drawing [role=button]").nth(15).hover();
  await page.waitForFunction(() => {
    const { dom, contentDOM } = window.vmcpPreview.editor.view;
    const mark = contentDOM.querySelector(".pointed")?.getBoundingClientRect();
    const seen = dom.getBoundingClientRect();
    return mark !== undefined && seen.top <= mark.top && mark.bottom <= seen.bottom;
  });
  assert.equal(await page.locator(".pointed").textContent(), "backend-14");
  await write(page, many(300).replace("transport: sse", "transport: stdio"));
  await says(page, /299 of 300 served/);
  await page.waitForFunction(() => document.querySelectorAll("#drawing title").length === 301);
  await shoot(page, "picture-300");
  assert.deepEqual(page.complaints, []);
  await page.close();
});

test("tables show backends, the effective configuration, needs, certificates and names", async () => {
  const page = await open(context, server.url);
  await write(page, sample("02-private-ca"));
  const rows = (table) => page.locator(`#table-${table} tbody tr`);
  await page.locator("#tab-backends").click();
  assert.match(await rows("backends").first().innerText(), /tickets\s+served\s+streamable-http\s+entry.*own CA bundle \/etc\/toolhive.*https:/s);
  await page.locator("#tab-settings").click();
  await rows("settings").first().waitFor();
  const settings = await rows("settings").allInnerTexts();
  assert.ok(settings.some((row) => /operational\.timeouts\.default\s+"30s"\s+default/.test(row)), settings.join("\n"));
  assert.ok(settings.some((row) => /groupRef\s+"team"\s+written/.test(row)));
  await page.locator("#tab-needs").click();
  const certificate = readFileSync(new URL("../../tests/data/certificates/ca.pem", import.meta.url));
  await page.locator("#files").setInputFiles({ name: "ca.crt", mimeType: "", buffer: certificate });
  await rows("certificates").first().waitFor();
  assert.match(await rows("needs").first().innerText(), /ca\.crt\s+file\s+tickets\s+yes/);
  await shoot(page, "needs");
  await page.locator("#tab-names").click();
  await page.locator("#tools").fill('{"jsonrpc":"2.0","id":1,"result":{"tools":[{"name":"search"}]}}');
  await rows("names").first().waitFor();
  assert.match(await rows("names").first().innerText(), /tickets\s+search\s+tickets_search\s+search\s+search/);
  assert.deepEqual(page.complaints, []);
  await page.close();
});

test("files are dropped: configurations become one text, certificates stand beside it", async () => {
  const page = await open(context, server.url);
  const files = { "a.yaml": sample("05-deployment").split("---\n")[0], "b.yaml": sample("05-deployment").split("---\n")[1], "x.pem": "-----BEGIN CERTIFICATE-----\n" };
  await page.evaluate((files) => {
    const transfer = new DataTransfer();
    for (const [name, text] of Object.entries(files)) transfer.items.add(new File([text], name));
    document.body.dispatchEvent(new DragEvent("drop", { dataTransfer: transfer, bubbles: true, cancelable: true }));
  }, files);
  await says(page, /tickets.* is not in container `vmcp`/);
  assert.match(await page.evaluate(() => window.vmcpPreview.editor.text), /^# A ConfigMap[\s\S]*---\napiVersion: apps\/v1/);
  await page.waitForFunction(() => /x\.pem/.test(document.getElementById("findings").textContent));
  await page.close();
});

test("a page without text accuses nobody", async () => {
  const page = await open(context, server.url);
  assert.deepEqual(await page.evaluate(() => ["counts", "findings"].map((id) => document.getElementById(id).textContent)), ["", ""]);
  assert.equal(await page.evaluate(() => window.vmcpPreview.editor.view.dom.querySelectorAll(".cm-lint-marker, .cm-lintPoint").length), 0);
  await write(page, "nmae: x\n");
  await write(page, "");
  await says(page, /^Nothing to check yet/);
  assert.equal(await page.locator("#findings li").count(), 0);
  await page.close();
});

test("the document that was chosen stays chosen while one types, and the verdict names it", async () => {
  const page = await open(context, server.url);
  const named = (name, body) => `kind: ConfigMap\nmetadata: {name: ${name}}\ndata:\n  config.yaml: |\n${body.replace(/^/gm, "    ")}`;
  await write(page, `${named("good", sample("01-minimal"))}\n---\n${named("bad", sample("13-stdio"))}`);
  await says(page, /^good: starts; 1 of 1 served; another document has errors too$/);
  await page.locator("#which").selectOption({ label: "bad" });
  await says(page, /^bad: starts; 1 of 2 served/);
  await page.evaluate(() => window.vmcpPreview.editor.view.dispatch({ changes: { from: 0, insert: "# typed\n" } }));
  await page.waitForFunction(() => window.vmcpPreview.shown.text.startsWith("# typed"));
  await says(page, /^bad: /);
  await page.close();
});

test("keys lead from a place to its finding, apply its fix, and undo all fixes at once", async () => {
  const page = await open(context, server.url);
  const text = sample("11-mistyped-key").replace("groupRef", "gruopRef");
  await write(page, text);
  await page.locator("#tab-picture").click();
  const focused = () => page.evaluate(() => document.activeElement.textContent);
  await page.locator(".cm-content").focus();
  await page.keyboard.press("F8");
  const line = await page.locator(".cm-activeLine").evaluate((line) => getComputedStyle(line).backgroundColor);
  assert.match(line, /\/ 0\.\d+\)$/, "what is selected is seen through the line that it is in");
  await page.keyboard.press("Control+.");
  assert.equal(await focused(), "Apply: did you mean `groupRef`?");
  await page.keyboard.press("Enter");
  await page.waitForFunction(() => /transport/.test(document.activeElement.textContent));
  assert.equal(await focused(), "Apply: did you mean `transport`?");
  await page.keyboard.press("Enter");
  await says(page, /^starts; 1 of 1 served$/);
  await page.waitForFunction(() => document.activeElement.id === "tab-findings");
  const mistakes = sample("18-discovered").replace(/$/, "# end\n");
  await write(page, mistakes);
  await page.waitForFunction(() => document.querySelectorAll("#findings .fix").length > 0);
  await page.locator("#fix-all").click();
  await page.waitForFunction((text) => window.vmcpPreview.editor.text !== text, mistakes);
  await page.locator(".cm-content").focus();
  await page.keyboard.press("Control+z");
  assert.equal(await page.evaluate(() => window.vmcpPreview.editor.text), mistakes);
  await page.keyboard.press("Control+z");
  assert.equal(await page.evaluate(() => window.vmcpPreview.editor.text), text.replace("gruopRef", "groupRef").replace("transprot", "transport"));
  await page.close();
});

test("what is dropped together finds its place, and what cannot be taken is named", async () => {
  const page = await open(context, server.url);
  await write(page, "# before\n");
  const [map, pod] = sample("05-deployment").split("---\n");
  const certificate = readFileSync(new URL("../../tests/data/certificates/ca.pem", import.meta.url), "utf8");
  await drop(page, "body", { "ca.crt": certificate, "map.yaml": map, "pod.yaml": pod, "photo.png": "\x89PNG\0\0" });
  await page.waitForFunction(() => window.vmcpPreview.shown.view.certificates.length > 0);
  assert.match(await page.evaluate(() => window.vmcpPreview.editor.text), /^# A ConfigMap[\s\S]*---\napiVersion: apps\/v1/);
  assert.equal(
    await page.locator("#done").textContent(),
    "photo.png is neither text nor a certificate, and was not taken. ca.crt is taken for /etc/toolhive/ca-bundles/tickets/ca.crt.",
  );
  // A certificate alone: where it went is shown.
  await drop(page, "body", { "other.pem": certificate });
  await page.waitForFunction(() => /^other\.pem: which file of the configuration/.test(document.getElementById("done").textContent));
  assert.equal(await page.locator("#panel-needs").isVisible(), true);
  await page.evaluate(() => window.vmcpPreview.editor.view.dispatch({ changes: { from: 0, insert: "# typed\n" } }));
  await page.waitForFunction(() => document.getElementById("done").textContent === "");
  // As a browser answers for a folder.
  await page.evaluate(() => (File.prototype.arrayBuffer = () => Promise.reject(new Error("a folder"))));
  await drop(page, "body", { etc: "" });
  await page.waitForFunction(() => document.getElementById("done").textContent === "etc cannot be read; expected a file, not a folder.");
  assert.deepEqual(page.complaints, []);
  await page.close();
});

/** Drops files, given as their texts, onto an element. */
function drop(page, onto, files) {
  return page.evaluate(([onto, files]) => {
    const transfer = new DataTransfer();
    for (const [name, text] of Object.entries(files)) transfer.items.add(new File([Uint8Array.from(text, (character) => character.charCodeAt(0))], name));
    document.querySelector(onto).dispatchEvent(new DragEvent("drop", { dataTransfer: transfer, bubbles: true, cancelable: true }));
  }, [onto, files]);
}

test("nothing that matters of a backend is cut off, and tables are filtered and sorted", async () => {
  const page = await open(context, server.url);
  const long = "/etc/toolhive/ca-bundles/a-name-that-is-longer-than-the-card/ca.crt";
  await write(page, sample("03-header").replace(/$/, `  caBundlePath: ${long}\n- {name: local, url: 'http://local:8080', transport: stdio}\n`));
  await page.locator("#tab-picture").click();
  await page.locator("#drawing text").first().waitFor();
  const drawn = await page.locator("#drawing text").allTextContents();
  assert.ok(drawn.includes("header_injection X-Api-Key"), drawn.join("\n"));
  assert.ok(drawn.some((text) => /^✓ own CA bundle ….*\/ca\.crt$/.test(text)), drawn.join("\n"));
  assert.ok(drawn.some((text) => /^✗ `transport` is `stdio`/.test(text)), drawn.join("\n"));
  await page.locator("#tab-backends").click();
  const rows = page.locator("#table-backends tbody tr");
  assert.match(await rows.nth(2).innerText(), /^`transport` is `stdio`, which cannot be served; expected/);
  await page.locator("#table-backends th button").first().click();
  assert.match(await rows.first().innerText(), /^local/);
  await write(page, many(300).replace("transport: sse", "transport: stdio"));
  await page.locator("#tab-picture").click();
  await page.waitForFunction(() => [...document.querySelectorAll("#drawing text")].some((text) => text.textContent.startsWith("`transport` is ")));
  await page.locator("#tab-backends").click();
  await page.waitForFunction(() => document.querySelectorAll("#table-backends tbody tr").length > 100);
  await page.locator("#table-backends input").fill("cannot be served");
  assert.equal(await page.locator("#table-backends [role=status]").textContent(), "1 of 300");
  assert.equal(await rows.count(), 2);
  await page.close();
});

test("it can be printed, and forced colours leave the underlines", async () => {
  const page = await open(context, server.url);
  await write(page, sample("13-stdio"));
  await page.emulateMedia({ forcedColors: "active" });
  await page.waitForFunction(() => window.vmcpPreview.editor.view.contentDOM.querySelector(".cm-lintRange-error"));
  const decoration = await page.evaluate(() => getComputedStyle(window.vmcpPreview.editor.view.contentDOM.querySelector(".cm-lintRange-error")).textDecorationLine);
  assert.equal(decoration, "underline");
  await page.emulateMedia({ media: "print", forcedColors: "none" });
  assert.deepEqual(await page.evaluate(() => ["left", "panel-findings"].map((id) => document.getElementById(id).checkVisibility())), [false, true]);
  await page.close();
});

test("what changes is told, trust first", async () => {
  const page = await open(context, server.url);
  await write(page, sample("02-private-ca"));
  await page.locator("#tab-compare").click();
  await page.locator("#take-old").click();
  await page.waitForFunction(() => /No change/.test(document.getElementById("compare-said").textContent));
  await write(page, sample("02-private-ca").replace(/ +caBundlePath.*\n/, "").replace("anonymous", "local"));
  await page.waitForFunction(() => document.querySelectorAll("#changes li").length === 2);
  const changes = await page.locator("#changes li").allInnerTexts();
  assert.match(changes[0], /^trust:\s`tickets` is verified against the system roots alone; before against \/etc/);
  assert.match(changes[1], /^callers:\s/);
  await shoot(page, "compare");
  await drop(page, "#old", { "old.yaml": sample("01-minimal") });
  await page.waitForFunction(() => /tickets\.team\.svc/.test(document.getElementById("changes").textContent));
  assert.equal(await page.locator("#old").inputValue(), sample("01-minimal"));
  assert.match(await page.evaluate(() => window.vmcpPreview.editor.text), /^# A remote server/);
  await page.close();
});

test("a link carries the text, and warns of secrets", async () => {
  const page = await open(context, server.url);
  await write(page, sample("15-two-header-values"));
  await page.locator("#tab-share").click();
  await page.waitForFunction(() => /1 literal secret/.test(document.getElementById("secrets").textContent));
  await page.locator("#make-link").click();
  await page.waitForFunction(() => document.getElementById("link").value !== "");
  const link = await page.locator("#link").inputValue();
  assert.ok(link.startsWith(`${server.url}#z=`), link);
  assert.match(await page.locator("#share-said").textContent(), /no server\. It works on this machine, while this server runs\.$/);
  await page.context().grantPermissions(["clipboard-read", "clipboard-write"]);
  await page.locator("#copy-link").click();
  await page.waitForFunction(() => document.getElementById("share-said").textContent === "Copied.");
  assert.equal(await page.evaluate(() => navigator.clipboard.readText()), link);
  await page.evaluate(() => Object.defineProperty(navigator, "clipboard", { value: undefined }));
  await page.locator("#copy-link").click();
  await page.waitForFunction(() => /copy it by hand/.test(document.getElementById("share-said").textContent));
  await write(page, `${sample("15-two-header-values")}# more\n`);
  assert.equal(await page.locator("#link-row").isVisible(), false);
  const other = await open(context, link);
  await says(other, /rejected/);
  assert.equal(await other.evaluate(() => window.vmcpPreview.editor.text), sample("15-two-header-values"));
  const broken = await open(context, server.url);
  await broken.evaluate(() => (location.hash = "#z=AAAA"));
  await says(broken, /no text that can be read; it may have been cut/);
  await write(broken, "");
  await broken.evaluate(() => (location.hash = "#y=AAAA"));
  await says(broken, /made by another version/);
  const saved = async (id) => {
    const [download] = await Promise.all([page.waitForEvent("download"), page.locator(id).click()]);
    return readFileSync(await download.path());
  };
  assert.equal(JSON.parse(await saved("#save-findings"))[0].code, "auth/conflicting-keys");
  const svg = String(await saved("#save-svg"));
  assert.match(svg, /^<svg [^>]*xmlns="http:\/\/www\.w3\.org\/2000\/svg"/);
  assert.doesNotMatch(svg, /var\(/);
  assert.equal((await saved("#save-png")).subarray(1, 4).toString(), "PNG");
  assert.deepEqual(page.complaints, []);
  await Promise.all([page, other, broken].map((one) => one.close()));
});

test("it works offline, and from a disk", async () => {
  const own = await chromium.newContext();
  const page = await open(own, server.url);
  await page.evaluate(() => navigator.serviceWorker.ready);
  await page.waitForFunction(async () => (await caches.keys()).length === 1 && (await (await caches.open((await caches.keys())[0])).keys()).length === 3);
  await own.setOffline(true);
  await page.reload();
  await write(page, sample("01-minimal"));
  await says(page, /^starts; 1 of 1 served/);
  await own.close();
  const disk = await open(context, new URL("vmcp-preview.html", built).href);
  await write(disk, sample("12-duplicate-name"));
  await says(disk, /is the name of 2 backends/);
  assert.deepEqual(disk.complaints, []);
  await disk.close();
});

test("nothing leaves the page, from the page or from its worker", async () => {
  const asked = [];
  const outside = createServer((request, response) => {
    asked.push(request.url);
    response.writeHead(200, { "access-control-allow-origin": "*" }).end();
  });
  outside.on("upgrade", (request, socket) => { asked.push(request.url); socket.destroy(); });
  await new Promise((done) => outside.listen(0, "127.0.0.1", done));
  const target = `127.0.0.1:${outside.address().port}`;
  for (const url of [server.url, new URL("vmcp-preview.html", built).href]) {
    const page = await open(context, url, { noisy: true });
    const tried = await page.evaluate(async (target) => {
      const outcome = (name, promise) => promise.then(() => `${name} went`, () => `${name} failed`);
      const element = (name, attributes) => new Promise((done, fail) => {
        const made = Object.assign(document.createElement(name), attributes, { onload: done, onerror: fail });
        document.body.append(made);
      });
      const socket = (url) => new Promise((done, fail) => {
        try { Object.assign(new WebSocket(url), { onopen: done, onerror: fail }); } catch (error) { fail(error); }
      });
      const worker = `
        const tell = (name, promise) => promise.then(() => postMessage(name + " went"), () => postMessage(name + " failed"));
        tell("worker fetch", fetch("http://${target}/worker-fetch"));
        tell("worker import", new Promise((done) => { importScripts("http://${target}/worker-import"); done(); }));
        tell("worker socket", new Promise((done, fail) => Object.assign(new WebSocket("ws://${target}/worker-socket"), { onopen: done, onerror: fail })));`;
      const fromWorker = new Promise((done) => {
        const said = [];
        const started = new Worker(URL.createObjectURL(new Blob([worker])));
        started.onmessage = ({ data }) => said.push(data) === 3 && done(said);
      });
      const form = Object.assign(document.createElement("form"), { action: `http://${target}/form`, target: "_blank" });
      document.body.append(form);
      form.submit();
      navigator.sendBeacon(`http://${target}/beacon`);
      return [
        ...(await Promise.all([
          outcome("fetch", fetch(`http://${target}/fetch`)),
          outcome("socket", socket(`ws://${target}/socket`)),
          outcome("image", element("img", { src: `http://${target}/image` })),
          outcome("script", element("script", { src: `http://${target}/script` })),
          outcome("frame", new Promise((_, fail) => { element("iframe", { src: `http://${target}/frame` }); setTimeout(fail, 500); })),
        ])),
        ...(await fromWorker),
      ];
    }, target);
    assert.equal(tried.length, 8);
    assert.deepEqual(tried.filter((one) => !one.endsWith(" failed")), [], url);
    await page.close();
  }
  outside.close();
  assert.deepEqual(asked, []);
});

test("it is usable by keyboard alone, in the dark, on a phone and when zoomed, and axe finds nothing", async () => {
  const looks = [
    ["light", { viewport: { width: 1360, height: 850 }, colorScheme: "light" }],
    ["dark", { viewport: { width: 1360, height: 850 }, colorScheme: "dark" }],
    ["phone", { viewport: { width: 390, height: 844 }, colorScheme: "light", hasTouch: true, isMobile: true }],
    ["zoomed", { viewport: { width: 680, height: 425 }, deviceScaleFactor: 2, colorScheme: "dark" }],
  ];
  for (const [name, options] of looks) {
    const own = await chromium.newContext(options);
    const page = await open(own, server.url);
    await write(page, sample("15-two-header-values"));
    await says(page, /rejected/);
    await page.waitForFunction(() => document.querySelectorAll("#findings li").length > 0);
    // By a tool of the browser, not of the page: its policy would not let the script in.
    const client = await own.newCDPSession(page);
    await client.send("Page.setBypassCSP", { enabled: true });
    await page.evaluate(readFileSync(AXE, "utf8"));
    for (const tab of ["findings", "picture", "backends", "settings", "needs", "names", "compare", "share"]) {
      await page.evaluate((tab) => document.getElementById(`tab-${tab}`).click(), tab);
      await page.waitForTimeout(50);
      if (tab === "settings") await page.locator("#table-settings tbody tr").first().waitFor();
      const { violations } = await page.evaluate(() => axe.run());
      const told = violations.map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html.slice(0, 120)).join(" | ")}`);
      assert.deepEqual(told, [], `${name}, ${tab}`);
      const wide = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
      assert.ok(wide <= 0, `${name}, ${tab}: ${wide} pixels too wide`);
      await shoot(page, `${name}-${tab}`);
    }
    await own.close();
  }
  // In one column, what has the focus is not behind the verdict.
  const narrow = await open(await chromium.newContext({ viewport: { width: 390, height: 844 } }), server.url);
  await write(narrow, many(30).replaceAll("transport:", "transprot:"));
  await narrow.waitForFunction(() => document.querySelectorAll("#findings li").length > 25);
  await narrow.evaluate(() => scrollTo(0, document.body.scrollHeight));
  await narrow.locator("#findings .fix").nth(9).focus();
  const [bar, focused] = await narrow.evaluate(() => [document.getElementById("bar"), document.activeElement].map((one) => one.getBoundingClientRect().toJSON()));
  assert.ok(focused.top >= bar.bottom, `${focused.top} is above ${bar.bottom}`);
  await narrow.context().close();
  const page = await open(context, server.url);
  await page.locator(".cm-content").focus();
  await page.keyboard.type("x");
  await page.keyboard.press("Escape");
  await page.keyboard.press("Tab");
  assert.equal(await page.evaluate(() => document.activeElement.id), "tab-findings");
  await page.keyboard.press("ArrowRight");
  assert.equal(await page.evaluate(() => document.activeElement.id), "tab-picture");
  assert.equal(await page.locator("#panel-picture").isVisible(), true);
  await page.close();
});

test("hostile text leaves the page responsive, and is answered", async () => {
  const page = await open(context, server.url);
  const texts = {
    "1 MB": many(4000),
    "20,000 backends": many(20_000),
    "a bomb": `a: &a [${"x,".repeat(9)}x]\n${[..."bcdefghi"].map((name, index) => `${name}: &${name} [${`*${"abcdefgh"[index]},`.repeat(9)}*${"abcdefgh"[index]}]`).join("\n")}\n`,
    rubbish: Array.from({ length: 100_000 }, (_, index) => String.fromCharCode((index * 7919) % 0xd800)).join(""),
    "deep brackets": "[".repeat(200_000),
  };
  for (const [name, text] of Object.entries(texts)) {
    await page.evaluate((text) => window.vmcpPreview.editor.load(text), text);
    // The page itself answers while the worker works.
    const lag = await page.evaluate(async () => {
      let worst = 0;
      for (let last = performance.now(), end = last + 500; last < end; ) {
        await new Promise((done) => setTimeout(done, 5));
        const now = performance.now();
        worst = Math.max(worst, now - last);
        last = now;
      }
      return worst;
    });
    assert.ok(lag < 2000, `${name}: no answer for ${Math.round(lag)} ms`);
    await write(page, "name: x\n");
    await says(page, /^does not start: there are no backends/);
  }
  assert.deepEqual(page.complaints, []);
  await page.close();
});

test("floods of brackets that are pasted or typed leave the editor alive, and colours come back", async () => {
  const page = await open(context, server.url);
  const coloured = () => page.evaluate(() => window.vmcpPreview.editor.view.contentDOM.querySelectorAll(".cm-line [class*=ͼ]").length > 0);
  const state = () => page.evaluate(() => window.vmcpPreview.editor.text);
  await write(page, "name: team\n");
  await page.waitForFunction(() => window.vmcpPreview.editor.view.contentDOM.querySelectorAll(".cm-line [class*=ͼ]").length > 0);
  for (const flood of ["[".repeat(20_000), "[ {a: ".repeat(5_000), "- ".repeat(20_000), Array.from({ length: 1500 }, (_, depth) => `${" ".repeat(depth)}a:`).join("\n")]) {
    await page.evaluate(() => window.vmcpPreview.editor.load(""));
    await page.locator(".cm-content").click();
    // As a paste: one insertion by a person.
    await page.evaluate((flood) => {
      const data = new DataTransfer();
      data.setData("text/plain", flood);
      window.vmcpPreview.editor.view.contentDOM.dispatchEvent(new ClipboardEvent("paste", { clipboardData: data, bubbles: true, cancelable: true }));
    }, flood);
    assert.equal(await state(), flood);
    assert.equal(await coloured(), false);
    await says(page, /^does not start|no configuration|is empty|nested|deep|not YAML/);
  }
  await page.evaluate(() => window.vmcpPreview.editor.load(""));
  await page.locator(".cm-content").click();
  // Closing brackets come by themselves, so each key nests one deeper.
  await page.keyboard.type("[".repeat(1200));
  assert.equal((await state()).length, 2400);
  await page.keyboard.press("Control+a");
  await page.keyboard.type("name: team");
  await page.waitForFunction(() => window.vmcpPreview.editor.view.contentDOM.querySelectorAll(".cm-line [class*=ͼ]").length > 0);
  assert.deepEqual(page.complaints, []);
  await page.close();
});

test("custom resources are shown as the ConfigMap that they become, with findings at their own lines", async () => {
  const page = await open(context, server.url);
  const folder = new URL("../../tests/cases/render/entries/", import.meta.url);
  const [text, output] = ["input.yaml", "output.yaml"].map((name) => readFileSync(new URL(name, folder), "utf8"));
  await page.locator("#tab-made").click();
  await page.locator("#sample").selectOption("custom-resources");
  await says(page, /^starts; /);
  await page.waitForFunction((output) => document.getElementById("made").textContent === output, output);
  await shoot(page, "rendered");
  await page.locator("#tab-backends").click();
  const row = page.locator("#table-backends tbody tr").first();
  assert.match(await row.innerText(), /billing\s+served.*own CA bundle \/etc\/toolhive\/ca-bundles\/billing\/ca\.crt/s);
  await row.getByRole("button").click();
  const at = await page.evaluate(() => window.vmcpPreview.editor.view.state.selection.main.head);
  const line = (offset) => text.slice(0, offset).split("\n").length;
  assert.equal(line(at), line(text.indexOf("name: billing")));
  await write(page, text.replace("externalAuthConfigRef:\n    name: tickets-exchange", "externalAuthConfigRef:\n    name: gone"));
  await page.locator("#tab-findings").click();
  const listed = await page.locator("#findings li").allInnerTexts();
  assert.ok(listed.some((one) => /^error line\s\d+, column\s11: there is no MCPExternalAuthConfig `gone`/.test(one)), listed.join("\n"));
  await write(page, sample("01-minimal"));
  await page.locator("#tab-made").click();
  assert.match(await page.locator("#made-said").innerText(), /^Paste custom resources/);
  assert.deepEqual(page.complaints, []);
  await page.close();
});

test("a trap inside of the module is told, and a fresh worker goes on with everything that was given", async () => {
  const page = await openTrapping("session_compare");
  await write(page, sample("02-private-ca"));
  await page.locator("#files").setInputFiles({ name: "ca.crt", mimeType: "", buffer: readFileSync(new URL("../../tests/data/certificates/ca.pem", import.meta.url)) });
  await page.waitForFunction(() => window.vmcpPreview.shown.view.certificates.length > 0);
  await page.locator("#tab-compare").click();
  await page.locator("#take-old").click();
  await page.waitForFunction(() => /^vmcp itself failed on this question \(RuntimeError: unreachable/.test(document.getElementById("compare-said").textContent));
  assert.ok((await page.evaluate(() => window.vmcpPreview.core.replaced)) >= 1);
  const { certificates } = await write(page, `${sample("02-private-ca")}# more\n`);
  assert.ok(certificates.length > 0, "the file was given again");
  await says(page, /^starts; 1 of 1 served/);
  await page.context().close();
  const always = await openTrapping("session_glance");
  await says(always, /^vmcp itself failed on this text \(RuntimeError: unreachable\)/);
  await always.evaluate(() => window.vmcpPreview.editor.load("name: x\n"));
  await always.waitForFunction(() => window.vmcpPreview.core.replaced >= 2);
  assert.equal((await always.evaluate(() => window.vmcpPreview.core.explain("yaml/syntax"))).summary, "the text is not YAML");
  await always.context().close();
});

/** The page with a module in which one export traps. */
async function openTrapping(name) {
  // A service worker would give the page as it was built.
  const page = await (await chromium.newContext({ serviceWorkers: "block" })).newPage();
  page.setDefaultTimeout(60_000);
  const script = trapping(readFileSync(new URL("main.js", built), "utf8"), name);
  await page.route("**/main.js", (route) => route.fulfill({ contentType: "text/javascript; charset=utf-8", body: script }));
  await page.goto(server.url);
  return page;
}

test("every sample can be chosen", async () => {
  const page = await open(context, server.url);
  for (const name of readdirSync(samples)) {
    await page.locator("#sample").selectOption(name);
    await page.waitForFunction((text) => window.vmcpPreview.editor.text === text, sample(name));
  }
  await page.close();
});

test("every case has the findings that the program has", { timeout: 600_000 }, async () => {
  const page = await open(context, server.url);
  let shown = 0;
  for (const { name, text, files, native } of cases()) {
    // The text may be that of the last case, beside which other files stood.
    await write(page, "");
    for (const [path, bytes] of Object.entries(files)) {
      await page.evaluate(([path, bytes]) => window.vmcpPreview.core.giveFile(path, Uint8Array.from(bytes)), [path, [...bytes]]);
    }
    let view;
    if (text.length <= EDITED) {
      // Line ends that are mixed become alike in the editor, so such a text is not shown as it is.
      view = await write(page, text);
      if (await page.evaluate((text) => window.vmcpPreview.editor.wholeText === text, text)) shown += 1;
      else view = null;
    }
    view ??= await page.evaluate((text) => window.vmcpPreview.core.check(text), text);
    const program = native();
    assert.deepEqual(view.findings.map(said), program.map(said), name);
    assert.deepEqual(view.findings.map(({ at }) => at?.line ?? null), program.map(({ line }) => line ?? null), name);
    for (const path of Object.keys(files)) await page.evaluate((path) => window.vmcpPreview.core.takeFile(path), path);
  }
  assert.ok(shown > 150, `${shown} cases in the editor`);
  assert.deepEqual(page.complaints, []);
  await page.close();
});

/** A longer text is judged without being shown: an editor takes its time for tens of megabytes. */
const EDITED = 4 << 20;

/** A configuration as an operator writes it. */
function many(count) {
  let text = "name: demo\ngroupRef: demo\nincomingAuth: {type: anonymous}\noutgoingAuth: {source: inline}\naggregation:\n  conflictResolution: prefix\n  conflictResolutionConfig: {prefixFormat: '{workload}_'}\nbackends:\n";
  for (let index = 0; index < count; index += 1) {
    const transport = index % 7 === 0 ? "sse" : "streamable-http";
    text += `- name: backend-${index}\n  url: https://mcp-${index}.partner.example/mcp\n  transport: ${transport}\n  type: entry\n`;
    if (index % 3 === 0) text += `  caBundlePath: /etc/toolhive/ca-bundles/backend-${index}/ca.crt\n`;
    text += `  metadata:\n    group: demo\n    namespace: default\n    tool_type: mcp\n    workload_status: Ready\n`;
  }
  return text;
}
