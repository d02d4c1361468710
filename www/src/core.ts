// The core in its worker: questions, answers, and a fresh worker when one is stuck or has failed.
import first from "virtual:first";
import source from "virtual:worker";
import words from "virtual:words";
import { toBytes } from "./bytes.mjs";
import type { Choices, Comparison, DocumentView, Explanation, KeyHover, Naming, Setting, View } from "../../target/pack/web/preview.d.ts";

/** A check that takes longer than this is given up when the text changes; a fresh worker takes time to start, too. */
const PATIENCE = 1000;
const utf8 = new TextEncoder();

type Waiting = { resolve: (answer: any) => void; reject: (why: Error) => void };

export class Core {
  #url = URL.createObjectURL(new Blob([source], { type: "text/javascript" }));
  #first = new WebAssembly.Module(toBytes(first));
  /** The second part of the module: rendering, certificates, comparison and tables. It is loaded when it is needed first. */
  #rest: WebAssembly.Module | null = null;
  #loading: Promise<void> | null = null;
  #worker!: Worker;
  #waiting = new Map<number, Waiting>();
  #next = 0;
  #files = new Map<string, Uint8Array>();
  #variables = "";
  #since = 0;
  #running = false;
  /** The text that was judged last and well; a fresh worker judges it again before other questions. */
  #judged: string | null = null;
  #later: { text: string; waiting: Waiting } | null = null;
  /** How often a worker had to be replaced. */
  replaced = 0;

  constructor() {
    this.#start();
  }

  /** Judges a text; `null` if a newer text came meanwhile. */
  check(text: string): Promise<View | null> {
    return new Promise((resolve, reject) => {
      this.#later?.waiting.resolve(null);
      this.#later = { text, waiting: { resolve, reject } };
      if (this.#running && performance.now() - this.#since > PATIENCE) this.#replace("given up");
      this.#check();
    });
  }

  document = (document: number): Promise<DocumentView | null> => this.#question("document", document);
  settings = (document: number): Promise<Setting[]> => this.#late("settings", document);
  hover = (line: number, column: number): Promise<KeyHover | null> => this.#question("hover", line, column);
  choices = (text: string, line: number, column: number): Promise<Choices | null> => this.#question("choices", text, line, column);
  compare = (old: string, document: number): Promise<Comparison> => this.#late("compare", old, document);
  names = (document: number, backend: string, pasted: string): Promise<Naming> => this.#late("names", document, backend, pasted);
  explain = (code: string): Promise<Explanation | null> => this.#question("explain", code);

  giveFile(path: string, bytes: Uint8Array): void {
    this.#files.set(path, bytes);
    this.#give("giveFile", path, bytes);
  }

  takeFile(path: string): void {
    this.#files.delete(path);
    this.#give("takeFile", path);
  }

  giveVariables(names: string): void {
    this.#variables = names;
    this.#give("giveVariables", names);
  }

  get files(): ReadonlyMap<string, Uint8Array> {
    return this.#files;
  }

  #check(): void {
    if (this.#running || this.#later === null) return;
    const { text, waiting } = this.#later;
    this.#later = null;
    this.#running = true;
    this.#since = performance.now();
    this.#judged = null;
    const worker = this.#worker;
    const done = (then: () => void) => {
      if (worker === this.#worker) this.#running = false;
      then();
      this.#check();
    };
    this.#judge(text).then(
      (view) => done(() => {
        this.#judged = text;
        waiting.resolve(this.#later === null ? view : null);
      }),
      (why: Error) => done(() => (why.message === "given up" ? waiting.resolve(null) : waiting.reject(why))),
    );
  }

  /** Judges a text with the first part of the module, if that is enough and the second is not on its way. */
  async #judge(text: string): Promise<View> {
    const worker = this.#worker;
    if (this.#loading === null) {
      const view = await this.#ask("glance", utf8.encode(text));
      if (view !== null) return view;
    }
    await this.#load();
    if (worker !== this.#worker) throw new Error("given up");
    return this.#ask("check", utf8.encode(text), Date.now() / 1000);
  }

  #load(): Promise<void> {
    this.#loading ??= rest().then((text) => {
      this.#rest = new WebAssembly.Module(toBytes(text));
      this.#complete();
    });
    this.#loading.catch(() => (this.#loading = null));
    return this.#loading;
  }

  /** Gives a worker the second part, and what only that can take. */
  #complete(): void {
    if (this.#rest === null) return;
    void this.#ask("rest", this.#rest).catch(() => {});
    for (const [path, bytes] of this.#files) this.#give("giveFile", path, bytes);
    if (this.#variables !== "") this.#give("giveVariables", this.#variables);
  }

  /** Tells the second part something; if it is not there yet, it will be told all there is. */
  #give(method: string, ...given: unknown[]): void {
    if (this.#rest !== null) void this.#ask(method, ...given).catch(() => {});
    else void this.#load().catch(() => {});
  }

  /** A question to the second part. */
  async #late(method: string, ...given: unknown[]): Promise<any> {
    await this.#load();
    return this.#question(method, ...given);
  }

  /** Asks, and once more if a check was given up meanwhile. */
  #question(method: string, ...given: unknown[]): Promise<any> {
    const again = (why: Error) => (why.message === "given up" ? this.#ask(method, ...given) : Promise.reject(why));
    return this.#ask(method, ...given).catch(again);
  }

  #ask(method: string, ...given: unknown[]): Promise<any> {
    return new Promise((resolve, reject) => {
      const id = this.#next++;
      this.#waiting.set(id, { resolve, reject });
      this.#worker.postMessage([id, method, ...given]);
    });
  }

  #start(): void {
    const worker = new Worker(this.#url);
    this.#worker = worker;
    worker.onmessage = ({ data: [id, answer, why] }: MessageEvent<[number, string | null, string | null]>) => {
      const waiting = this.#waiting.get(id);
      this.#waiting.delete(id);
      if (why !== null) {
        waiting?.reject(new Error(why));
        this.#replace(why);
      } else waiting?.resolve(JSON.parse(answer as string));
    };
    worker.onerror = (event) => this.#replace(event.message);
    void this.#ask("start", this.#first, words).catch(() => {});
    this.#complete();
  }

  #replace(why: string): void {
    this.#worker.terminate();
    this.replaced += 1;
    this.#running = false;
    const lost = [...this.#waiting.values()];
    this.#waiting.clear();
    this.#start();
    if (this.#judged !== null) void this.#ask(this.#rest === null ? "glance" : "check", utf8.encode(this.#judged), Date.now() / 1000).catch(() => {});
    for (const { reject } of lost) reject(new Error(why));
  }
}

declare global {
  /** What `rest.js` holds. */
  var vmcpRest: string | undefined;
}

/** The second part of the module as text: it stands in the page, or in a script beside it. */
function rest(): Promise<string> {
  return new Promise((resolve, reject) => {
    const given = () => (globalThis.vmcpRest === undefined ? reject(new Error("rest.js holds nothing")) : resolve(globalThis.vmcpRest));
    if (globalThis.vmcpRest !== undefined) return given();
    const script = document.createElement("script");
    script.src = "rest.js";
    script.onload = given;
    script.onerror = () => reject(new Error("rest.js cannot be loaded"));
    document.head.append(script);
  });
}
