// A page whose module traps where a test wants it to: what a bug in the module would do. The first part has all exports.
import { readFileSync } from "node:fs";
import { toText } from "../src/bytes.mjs";

const pack = new URL("../../target/pack/web/first.wasm", import.meta.url);

/** The script of the page with `unreachable` in place of what an export does. */
export function trapping(script, name) {
  const bytes = readFileSync(pack);
  const [before, after] = [toText(bytes), toText(broken(bytes, name))];
  if (!script.includes(before)) throw new Error("the script does not hold the first part of the module");
  return script.replace(before, () => after);
}

function broken(bytes, name) {
  const wanted = exported(bytes, name);
  return Buffer.concat([bytes.subarray(0, 8), ...sections(bytes).map(([id, content]) => section(id, id === 10 ? code(content, wanted) : content))]);
}

/** The index of a function among those that have a body. */
function exported(bytes, name) {
  const all = sections(bytes);
  const imported = reader(all.find(([id]) => id === 2)[1]);
  let functions = 0;
  for (let count = imported.number(); count > 0; count -= 1) {
    imported.bytes(imported.number());
    imported.bytes(imported.number());
    if (imported.bytes(1)[0] !== 0) throw new Error("only functions are imported");
    imported.number();
    functions += 1;
  }
  const found = reader(all.find(([id]) => id === 7)[1]);
  for (let count = found.number(); count > 0; count -= 1) {
    const called = found.bytes(found.number()).toString();
    const kind = found.bytes(1)[0];
    const index = found.number();
    if (kind === 0 && called === name) return index - functions;
  }
  throw new Error(`no export ${name}`);
}

function code(content, wanted) {
  const bodies = reader(content);
  const count = bodies.number();
  const out = [number(count)];
  for (let index = 0; index < count; index += 1) {
    const body = bodies.bytes(bodies.number());
    // No locals, `unreachable`, `end`.
    const kept = index === wanted ? Buffer.from([0, 0x00, 0x0b]) : body;
    out.push(number(kept.length), kept);
  }
  return Buffer.concat(out);
}

function sections(bytes) {
  const rest = reader(bytes.subarray(8));
  const found = [];
  while (!rest.done()) found.push([rest.bytes(1)[0], rest.bytes(rest.number())]);
  return found;
}

const section = (id, content) => Buffer.concat([Buffer.from([id]), number(content.length), content]);

function number(value) {
  const out = [];
  for (; value > 127; value >>>= 7) out.push((value & 127) | 128);
  return Buffer.from([...out, value]);
}

function reader(bytes) {
  let at = 0;
  return {
    done: () => at === bytes.length,
    bytes: (length) => bytes.subarray(at, (at += length)),
    number() {
      let value = 0;
      for (let shift = 0; ; shift += 7) {
        const byte = bytes[at++];
        value += (byte & 127) * 2 ** shift;
        if (byte < 128) return value;
      }
    },
  };
}
