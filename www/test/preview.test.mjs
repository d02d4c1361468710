// `vmcp preview`: the page from inside the program, with a file that is shown again when it changes.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { copyFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { browser, open, says, shoot } from "./browser.mjs";

const root = new URL("../../", import.meta.url);
const sample = (name) => readFileSync(new URL(`tests/cases/config/samples/${name}/config.yaml`, root), "utf8");

test("vmcp preview shows a file, its CA files and variables, and shows them again when they change", async (context) => {
  const folder = mkdtempSync(path.join(tmpdir(), "vmcp-preview-"));
  context.after(() => rmSync(folder, { recursive: true }));
  const file = path.join(folder, "config.yaml");
  writeFileSync(file, sample("05-deployment").split("---\n")[0]);
  const bundles = path.join(folder, "etc/toolhive/ca-bundles/tickets");
  mkdirSync(bundles, { recursive: true });
  copyFileSync(new URL("tests/data/certificates/ca.pem", root), path.join(bundles, "ca.crt"));
  const program = spawn(fileURLToPath(new URL("target/debug/vmcp", root)), ["preview", "-c", file, "--root", folder, "--no-open"], {
    env: { TICKETS_API_KEY: "never-shown" },
  });
  context.after(() => program.kill());
  let told = "";
  const url = await new Promise((done, fail) => {
    program.stderr.setEncoding("utf8").on("data", (text) => {
      told += text;
      const found = told.match(/http:\/\/127\.0\.0\.1:\d+\/[0-9a-f]{32}\//);
      if (found) done(found[0]);
    });
    program.on("exit", () => fail(new Error(told)));
  });
  const chromium = await browser();
  context.after(() => chromium.close());
  const page = await chromium.newPage();
  page.setDefaultTimeout(60_000);
  await page.goto(url);
  await says(page, /^starts; 1 of 1 served; the pod needs 1 variable and 1 file$/);
  await page.locator("#tab-needs").click();
  await page.locator("#table-certificates tbody tr").first().waitFor();
  const needs = await page.locator("#table-needs tbody tr").allInnerTexts();
  assert.match(needs[0], /ca\.crt\s+file\s+tickets\s+yes/);
  assert.match(needs.find((row) => row.startsWith("TICKETS_API_KEY")), /variable\s+yes/);
  const state = await (await fetch(`${url}state`)).text();
  assert.doesNotMatch(state, /never-shown/);
  await shoot(page, "vmcp-preview");
  writeFileSync(file, sample("13-stdio"));
  await says(page, /^starts; 1 of 2 served; `local` rejected/);
  assert.equal(await page.evaluate(() => window.vmcpPreview.editor.text), sample("13-stdio"));
  // A file that goes and comes back.
  rmSync(file);
  const liveSays = (pattern) => page.waitForFunction((source) => new RegExp(source).test(document.getElementById("live").textContent), pattern);
  await liveSays("config\\.yaml.*[Nn]o such file.*; the page shows what was read last");
  assert.equal(await page.evaluate(() => window.vmcpPreview.editor.text), sample("13-stdio"));
  writeFileSync(file, sample("01-minimal"));
  await says(page, /^starts; 1 of 1 served$/);
  await liveSays("as it is on disk");
  assert.equal((await fetch(new URL("/", url))).status, 404);
  // Elsewhere than at its own address the page can ask nobody.
  const elsewhere = await page.evaluate(() => fetch("http://127.0.0.1:9/").then(() => "went", () => "failed"));
  assert.equal(elsewhere, "failed");
  program.kill();
  await page.waitForFunction(() => /has ended/.test(document.getElementById("live").textContent));
});

test("vmcp preview says when it could open no browser", { skip: process.platform !== "linux" }, async (context) => {
  const program = spawn(fileURLToPath(new URL("target/debug/vmcp", root)), ["preview"], { env: { PATH: "/nowhere" } });
  context.after(() => program.kill());
  let told = "";
  for await (const text of program.stderr.setEncoding("utf8")) {
    told += text;
    if (/yourself\n/.test(told)) break;
  }
  assert.match(told, /^http:.*\nno browser was opened: `xdg-open` cannot be run: No such file or directory \(os error 2\); open the address above yourself\n$/);
});
