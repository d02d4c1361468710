// Puts the page together: node build.mjs PACK OUT. The result is static files that work from any path of any server.
import { cpSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import path from "node:path";

const [pack, out] = process.argv.slice(2);
const here = import.meta.dirname;

rmSync(out, { recursive: true, force: true });
mkdirSync(out, { recursive: true });
for (const file of ["index.html", "style.css", "main.js"]) cpSync(path.join(here, file), path.join(out, file));
cpSync(path.join(pack, "vmcp.js"), path.join(out, "vmcp.js"));
const module = readFileSync(path.join(pack, "vmcp_bg.wasm")).toString("base64");
writeFileSync(path.join(out, "module.js"), `export default "${module}";\n`);
