// Runs the core. A classic worker from a `blob:`, so that the page's policy holds for it too; the module comes with the first
// message, and its second part when something is asked that needs it.
import { Session, initSync } from "../../target/pack/web/vmcp.js";

let session: Session;
let first: WebAssembly.Exports;

onmessage = ({ data: [id, method, ...given] }: MessageEvent<[number, string, ...unknown[]]>) => {
  try {
    if (method === "start") {
      first = initSync({ module: given[0] as WebAssembly.Module }) as unknown as WebAssembly.Exports;
      session = new Session();
      session.giveWords(given[1] as string);
      return postMessage([id, "null", null]);
    }
    if (method === "rest") {
      // It works on the memory and fills the table of the first part.
      new WebAssembly.Instance(given[0] as WebAssembly.Module, { first });
      return postMessage([id, "null", null]);
    }
    const answer = (session as any)[method](...given);
    postMessage([id, answer ?? "null", null]);
  } catch (error) {
    // After a panic the module's memory is in an unknown state: whoever asked makes a new worker.
    postMessage([id, null, String(error)]);
  }
};
