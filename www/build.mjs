// Puts the page together: node build.mjs PACK OUT. The result is static files that work from any path of any server, and one
// file, vmcp-preview.html, that works from a disk.
import { createHash } from "node:crypto";
import { mkdirSync, readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import path from "node:path";
import { build } from "vite";
import { toText } from "./src/bytes.mjs";

const [pack, out] = process.argv.slice(2).map((given) => path.resolve(given));
const here = import.meta.dirname;
const read = (...parts) => readFileSync(path.join(here, ...parts), "utf8");

/** A module whose text is made here. */
const virtual = (modules) => ({
  name: "virtual",
  resolveId: (id) => (id in modules ? `\0${id}` : null),
  load: (id) => (id.startsWith("\0") && id.slice(1) in modules ? `export default ${JSON.stringify(modules[id.slice(1)])};` : null),
});

/** One classic script, or one module. */
async function script(entry, modules, format = "iife") {
  const [{ output }] = [
    await build({
      root: here, configFile: false, logLevel: "warn", publicDir: false, plugins: [virtual(modules)],
      build: {
        write: false, minify: true, target: "es2023", modulePreload: false, chunkSizeWarningLimit: 4000,
        lib: { entry: path.join(here, "src", entry), formats: [format], name: "vmcp" },
      },
    }),
  ].flat();
  return output[0].code;
}

/** The cases that are samples too: the first line of each, a comment, is its title. */
function samples() {
  const folder = path.join(here, "../tests/cases/config/samples");
  const sample = (name, file) => {
    const text = readFileSync(file, "utf8");
    return { name, title: text.split("\n", 1)[0].replace(/^#\s*/, ""), text };
  };
  return [
    ...readdirSync(folder).sort().map((name) => sample(name, path.join(folder, name, "config.yaml"))),
    sample("custom-resources", path.join(here, "../tests/cases/render/entries/input.yaml")),
  ];
}

const sha = (text) => `'sha256-${createHash("sha256").update(text).digest("base64")}'`;
const policy = (script, style) =>
  `default-src 'none'; script-src ${script} 'wasm-unsafe-eval'; style-src ${style}; img-src data: blob:; connect-src 'none'; worker-src blob:${script === "'self'" ? " 'self'" : ""}; base-uri 'none'; form-action 'none'`;

/** A part of the module as a string of a script. */
const wasm = (part) => `"${toText(readFileSync(path.join(pack, `${part}.wasm`)))}"`;

const worker = await script("worker.ts", {});
// Nothing in it may end the element that the single file puts it in.
const main = (await script("main.ts", { "virtual:first": "%FIRST%", "virtual:worker": worker, "virtual:words": readFileSync(path.join(pack, "words.txt"), "utf8"), "virtual:samples": samples() }))
  .replaceAll("</script", "<\\/script")
  .replaceAll("<!--", "<\\!--")
  .replace(/(["'`])%FIRST%\1/, () => wasm("first"));
// What most visitors do not need is a script of its own.
const rest = `vmcpRest=${wasm("rest")};`;
const style = read("src/style.css");

const { labels } = await import(`data:text/javascript,${encodeURIComponent(await script("texts.ts", {}, "es"))}`);
const escaped = (text) => text.replace(/[&<>"]/g, (character) => `&#${character.codePointAt(0)};`);
const label = (key) => {
  if (labels[key] === undefined) throw new Error(`texts.ts has no label ${key}`);
  return escaped(labels[key]);
};
const frame = read("index.html").replace(/\{\{(\w+)\}\}/g, (_, key) => label(key));
const page = (parts) => Object.entries(parts).reduce((html, [name, value]) => html.replace(`%${name}%`, () => value), frame);
const files = {
  "index.html": page({
    POLICY: policy("'self'", "'self'"), META: '<meta name="vmcp-offline" content="sw.js" />',
    STYLE: '<link rel="stylesheet" href="style.css" />', SCRIPT: '<script defer src="main.js"></script>',
  }),
  "main.js": main,
  "rest.js": rest,
  "style.css": style,
  "vmcp-preview.html": page({ POLICY: policy(`${sha(rest)} ${sha(main)}`, sha(style)), META: "", STYLE: `<style>${style}</style>`, SCRIPT: `<script>${rest}</script><script>${main}</script>` }),
};
const version = createHash("sha256").update(Object.values(files).join("\0")).digest("hex").slice(0, 16);
files["sw.js"] = read("sw.js").replace("%VERSION%", version);

rmSync(out, { recursive: true, force: true });
mkdirSync(out, { recursive: true });
for (const [name, text] of Object.entries(files)) writeFileSync(path.join(out, name), text);
