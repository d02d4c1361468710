// The cases of `tests/cases` as texts, with what the program says of each: for whoever compares.
import { spawnSync } from "node:child_process";
import { existsSync, readFileSync, readdirSync } from "node:fs";
import path from "node:path";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("../../", import.meta.url));

/** The program reads no more of an input than tells that it is too large. */
const LIMIT = 64 << 20;

/** Where a case feeds the program more than this, only the last of its findings stand in its file. */
const WHOLE = 200;

/** Matchers are judged by the program alone, and the page says so: the library that reads CEL needs std. */
const OF_THE_PROGRAM = "auth/bad-matcher";

/**
 * Every case that is a text and perhaps CA files: not those about the machine's environment, which a page does not have, nor those
 * whose bytes are no text.
 * @returns {Array<{ name: string, text: string, files: Record<string, Buffer>, native: () => object[] }>}
 */
export function cases() {
  return [...configured(), ...rendered()];
}

function configured() {
  const all = path.join(root, "tests/cases/config");
  return readdirSync(all, { recursive: true }).flatMap((name) => {
    const folder = path.join(all, name);
    const has = (file) => existsSync(path.join(folder, file));
    const file = ["config.yaml", "config.json", "config.repeat"].find(has);
    if (file === undefined || ["env", "arguments", "process"].some(has)) return [];
    const text = textOf(path.join(folder, file));
    if (text === null) return [];
    const files = {};
    if (has("ca")) for (const one of readdirSync(path.join(folder, "ca"))) files[`/ca/${one}`] = readFileSync(path.join(folder, "ca", one));
    const more = has("ca") ? ["--materials", "--root", "."] : [];
    const native = () => {
      const env = { SSL_CERT_FILE: path.join(root, "tests/data/certificates/ca-renewed.pem"), SSL_CERT_DIR: "." };
      const ran = spawnSync(path.join(root, "target/debug/vmcp"), ["validate", "-", "--format", "json", ...more], { cwd: folder, input: text, maxBuffer: 1 << 28, env });
      return JSON.parse(ran.stdout).diagnostics.filter((one) => one.code !== OF_THE_PROGRAM);
    };
    return [{ name: `config/${name}`, text, files, native }];
  });
}

/** What is said of custom resources stands beside each case, and a test of the program holds it. */
function rendered() {
  const all = path.join(root, "tests/cases/render");
  return readdirSync(all).flatMap((name) => {
    const folder = path.join(all, name);
    const file = ["input.yaml", "input.repeat"].find((file) => existsSync(path.join(folder, file)));
    if (file === undefined || existsSync(path.join(folder, "arguments"))) return [];
    const said = readFileSync(path.join(folder, "expected.txt"), "utf8");
    if (said.split("\n").length > WHOLE || file === "input.repeat") return [];
    const found = [...said.matchAll(/^(error|warning|note)\[([^\]]+)\]: (.*)(?:\n *--> [^\n]*?:(\d+):(\d+))?/gm)];
    const native = () => found.map(([, severity, code, message, line]) => ({ severity, code, message, line: line && Number(line) }));
    return [{ name: `render/${name}`, text: textOf(path.join(folder, file)), files: {}, native }];
  });
}

function textOf(file) {
  const bytes = readFileSync(file);
  const text = bytes.toString("utf8");
  if (!Buffer.from(text).equals(bytes)) return null;
  return file.endsWith(".repeat") ? repeat(text).slice(0, LIMIT + 1) : text;
}

const repeat = (text) =>
  text.replace(/%repeat (\d+)\n([\s\S]*?)%end\n/g, (_, count, unit) =>
    unit.includes("%n") ? Array.from({ length: Number(count) }, (_, n) => unit.replaceAll("%n", String(n))).join("") : unit.repeat(Number(count)));

/** A finding without its place: what it says. What is said about the present moment differs from one to the next. */
export const said = ({ code, severity, message }) => [code, severity, message.split("; it is now ")[0]];
