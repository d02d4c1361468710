// What the tests of the page share: a browser, the page served on loopback, and questions to it.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdirSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { chromium } from "playwright-core";

export const built = new URL("../../target/www/", import.meta.url);
const shots = fileURLToPath(new URL("../../target/screenshots/", import.meta.url));

export async function browser() {
  const named = process.env.CHROMIUM || "/usr/bin/chromium";
  if (!existsSync(named)) throw new Error(`there is no browser at ${named}; set CHROMIUM`);
  // Root may not have a sandbox; what is opened here is this project's own page.
  return chromium.launch({ executablePath: named, args: process.getuid?.() === 0 ? ["--no-sandbox"] : [] });
}

export async function serve() {
  const script = fileURLToPath(new URL("../serve.mjs", import.meta.url));
  const server = spawn(process.execPath, [script, fileURLToPath(built)], { stdio: ["ignore", "pipe", "inherit"] });
  const [line] = await once(server.stdout.setEncoding("utf8"), "data");
  return { url: line.trim(), stop: () => server.kill() };
}

/** Opens the page, and fails the test if it ever logs an error. */
export async function open(context, url, options = {}) {
  const page = await context.newPage();
  page.setDefaultTimeout(60_000);
  const complaints = [];
  page.on("pageerror", (error) => complaints.push(String(error)));
  if (!options.noisy) page.on("console", (message) => message.type() === "error" && complaints.push(message.text()));
  await page.goto(url);
  await page.waitForFunction(() => document.documentElement.dataset.checked !== undefined);
  return Object.assign(page, { complaints });
}

/** Puts a text in place of the whole, and waits until the page shows what was found in it. */
export async function write(page, text) {
  await page.evaluate((text) => window.vmcpPreview.editor.load(text), text);
  await page.waitForFunction(() => window.vmcpPreview.shown.text === window.vmcpPreview.editor.text);
  return page.evaluate(() => window.vmcpPreview.shown.view);
}

/** Waits for the verdict to say something. */
export async function says(page, pattern) {
  const matches = ([source, flags]) => new RegExp(source, flags).test(document.getElementById("verdict").textContent);
  await page.waitForFunction(matches, [pattern.source, pattern.flags]);
}

export async function shoot(page, name) {
  mkdirSync(shots, { recursive: true });
  await page.screenshot({ path: `${shots}${name}.png` });
}
