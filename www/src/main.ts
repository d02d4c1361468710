// Wires the parts together: the text goes to the core at every change, and its answers go to the panels.
import samples from "virtual:samples";
import type { DocumentView, Found, Headline, Region, View } from "../../target/pack/web/preview.d.ts";
import { Core } from "./core.ts";
import { byId, h } from "./dom.ts";
import { Editor } from "./editor.ts";
import { picture, standalone } from "./picture.ts";
import { link, linked, save } from "./share.ts";
import { Table, type Cell } from "./tables.ts";
import { texts } from "./texts.ts";

const LIMIT = 64 << 20;
const FINDINGS = 200;

const core = new Core();
const editor = new Editor(byId("editor"), core, () => void check(), (index) => { open("findings", index); });
const verdict = byId("verdict");
const which = byId<HTMLSelectElement>("which");
const places = { go: (at: Region) => editor.go(at), point: (at: Region | null) => editor.point(at) };

let view: View = { findings: [], documents: [], certificates: [], matchers: [], secrets: 0, made: null };
let shownFindings = FINDINGS;
/** The finding whose fix was applied: the one that takes its place is focused. */
let fixed: number | null = null;
/** The text that what is said to be done is about. */
let doneFor = "";
/** What the page shows now, for its tests and for the console. */
const shown = { text: "", view, milliseconds: 0 };

const tables = {
  backends: new Table(texts.tables.backends, texts.backendColumns),
  settings: new Table(texts.tables.settings, texts.settingColumns),
  needs: new Table(texts.tables.needs, texts.needColumns),
  optional: new Table(texts.tables.optional, texts.needColumns),
  certificates: new Table(texts.tables.certificates, texts.certificateColumns),
  names: new Table(texts.tables.names, texts.nameColumns),
};
for (const [name, table] of Object.entries(tables)) byId(`table-${name}`).append(table.element);

/** What each panel shows; drawn when it is looked at. */
const panels: Record<string, () => void | Promise<void>> = {
  findings: showFindings,
  picture: showPicture,
  backends: showBackends,
  settings: showSettings,
  needs: showNeeds,
  names: showNames,
  compare: showChanges,
  made: showMade,
  share: showShare,
};
let panel = "findings";

async function check(): Promise<void> {
  const text = editor.text;
  const started = performance.now();
  let answer: View | null;
  try {
    answer = await core.check(text);
  } catch (error) {
    say(texts.failed((error as Error).message), "error");
    return;
  }
  if (answer === null) return;
  // A link that was made holds the text as it was.
  if (text !== doneFor) byId("done").textContent = "";
  if (text !== shown.text) {
    byId("link-row").hidden = true;
    byId("share-said").textContent = "";
  }
  view = answer;
  const sample = byId<HTMLSelectElement>("sample");
  if (samples.find(({ name }) => name === sample.value)?.text !== text) sample.value = "";
  editor.show(findings());
  shownFindings = FINDINGS;
  const before = which.value;
  which.replaceChildren(...view.documents.map((_, index) => h("option", { value: index, selected: String(index) === before }, nameOf(index))));
  byId("which-label").hidden = view.documents.length < 2;
  show();
  Object.assign(shown, { text, view, milliseconds: performance.now() - started });
  document.documentElement.dataset.checked = "";
}

/** What there is to say about the text: of an empty one nothing. */
function findings(): Found[] {
  return editor.view.state.doc.length === 0 ? [] : view.findings;
}

function nameOf(index: number): string {
  const { configMap, name } = view.documents[index];
  return configMap ?? (name || texts.document(index + 1));
}

/** Says what was done, until the text is another. */
function done(said: string): void {
  doneFor = editor.text;
  byId("done").textContent = said;
}

function chosen(): number {
  return Math.max(which.selectedIndex, 0);
}

/** What is in the chosen document, for a panel that says if there is no telling; nothing if there is none. */
function current(said: string): Promise<DocumentView | null> {
  byId(said).textContent = "";
  return asked(core.document(chosen()), said);
}

function show(): void {
  const document: Headline | undefined = view.documents[chosen()];
  if (editor.view.state.doc.length === 0) say(texts.empty, "");
  else say(verdictOf(document) ?? view.findings[0]?.message ?? texts.noConfiguration, !document?.starts ? "error" : document.rejected > 0 ? "warning" : "good");
  const count = (severity: string) => findings().filter((found) => found.severity === severity).length;
  byId("counts").textContent = texts.counts(count("error"), count("warning"), count("note"));
  void panels[panel]();
}

function verdictOf(document: Headline | undefined): string | undefined {
  if (view.documents.length < 2 || document === undefined) return document?.verdict;
  const others = view.documents.filter((one) => one !== document && (!one.starts || one.rejected > 0));
  return texts.verdictOf(nameOf(chosen()), document.verdict, others.length);
}

function say(text: string, kind: string): void {
  if (verdict.textContent !== text) verdict.textContent = text;
  verdict.className = kind;
}

function showFindings(): void {
  const all = findings();
  const list = all.slice(0, shownFindings).map(finding);
  const rest = all.length - shownFindings;
  if (rest > 0) list.push(h("li", {}, h("button", { type: "button", onclick: () => { shownFindings += FINDINGS; showFindings(); } }, texts.more(rest))));
  byId("findings").replaceChildren(...list);
  byId("matchers").textContent = texts.matchers(view.matchers.map(({ line }) => line));
  byId("matchers").hidden = view.matchers.length === 0;
  byId("no-findings").hidden = all.length > 0 || editor.view.state.doc.length === 0;
  if (fixed !== null) focusFinding(Math.min(fixed, all.length - 1));
  fixed = null;
}

function focusFinding(index: number): void {
  const item = byId("findings").children[index];
  (item?.querySelector<HTMLElement>(".fix") ?? item?.querySelector("button") ?? byId("tab-findings")).focus();
}

function finding(found: Found, index: number): HTMLElement {
  const { code, severity, message, help, at, file, edits, related } = found;
  const place = at === null ? (file ?? "") : `${file ?? ""} ${texts.line(at.line, at.column)}`.trim();
  const go = at !== null && file === null;
  const head = h(go ? "button" : "div", { type: go && "button", class: `head ${severity}`, onclick: go ? () => editor.go(at) : undefined },
    h("strong", {}, severity), " ", place !== "" && h("span", { class: "place" }, `${place}: `), message);
  const more = h("p", { class: "more" });
  const explain = async () => {
    if (more.textContent !== "") return void (more.textContent = "");
    more.textContent = (await core.explain(code).catch(() => null))?.text ?? texts.explainFailed;
  };
  const item = h("li", {}, head,
    edits.length > 0 ? h("button", { type: "button", class: "fix", onclick: () => { fixed = index; editor.apply(edits); } }, texts.fix(help ?? "")) : help && h("p", { class: "help" }, help),
    ...related.map(({ message, at }) => h("p", { class: "help" }, `${texts.related}: ${message} `,
      at && h("button", { type: "button", class: "link", onclick: () => editor.go(at) }, texts.line(at.line, at.column)))),
    h("button", { type: "button", class: "link code", onclick: explain }, code), more);
  return item;
}

async function showPicture(): Promise<void> {
  const document = await current("picture-said");
  byId("drawing").replaceChildren(...(document ? [picture(document, places)] : []));
}

async function showBackends(): Promise<void> {
  const document = await current("backends-said");
  const rows = (document?.backends ?? []).map((backend) => ({
    class: backend.standing,
    go: () => editor.go(backend.at),
    cells: [
      backend.name || "?",
      texts[backend.standing],
      backend.transport, backend.kind,
      [backend.auth, backend.header, backend.variables.join(" "), backend.authSource === "default" ? texts.byDefaultStrategy : ""].filter(Boolean).join(" "),
      backend.caBundle && backend.trust !== "nobody" ? `${texts.vouching[backend.trust]} ${backend.caBundle}` : texts.vouching[backend.trust],
      backend.url,
    ] as Cell[],
    note: backend.reason,
  }));
  tables.backends.show(rows);
}

/** The answer to a question of the panels; `null`, and the panel says so, if the core failed on it. */
async function asked<T>(question: Promise<T>, said: string): Promise<T | null> {
  try {
    return await question;
  } catch (error) {
    byId(said).textContent = texts.questionFailed((error as Error).message);
    return null;
  }
}

async function showSettings(): Promise<void> {
  byId("settings-said").textContent = "";
  const settings = (await asked(core.settings(chosen()), "settings-said")) ?? [];
  tables.settings.show(settings.map(({ key, value, written }) => ({ cells: [key, value, written ? texts.written : texts.byDefault], class: written ? "" : "faint" })));
}

async function showNeeds(): Promise<void> {
  const document = await current("needs-said");
  const need = (kind: string) => ({ name, backend, given, at }: DocumentView["files"][number]) => ({
    go: () => editor.go(at),
    cells: [name, kind, backend ?? "", given ? texts.given : texts.notGiven],
  });
  const variables = document?.variables ?? [];
  tables.needs.show([...(document?.files ?? []).map(need(texts.file)), ...variables.filter(({ required }) => required).map(need(texts.variable))]);
  tables.optional.show(variables.filter(({ required }) => !required).map(need(texts.variable)));
  tables.certificates.show(view.certificates.map((one) => ({
    cells: [one.subject, one.issuer, one.role, one.notAfter, one.daysLeft, `${one.file}:${one.line}`],
    class: one.daysLeft < 0 ? "rejected" : one.daysLeft < 30 ? "soon" : "",
  })));
  const wanted = (document?.files ?? []).map(({ name }) => name);
  const given = [...core.files.keys()].map((name) => {
    const options = [...new Set([name, ...wanted])].map((path) => h("option", { value: path, selected: path === name }, wanted.includes(path) ? path : `${path} (${texts.unplaced})`));
    const choose = (event: Event) => {
      const bytes = core.files.get(name);
      core.takeFile(name);
      if (bytes) core.giveFile((event.target as HTMLSelectElement).value, bytes);
      void check();
    };
    return h("li", {}, h("select", { "aria-label": texts.whichFile(name), onchange: choose }, ...options), " ",
      h("button", { type: "button", onclick: () => { core.takeFile(name); void check(); } }, texts.remove(name)));
  });
  byId("given").replaceChildren(...given);
  byId("no-certificates").hidden = core.files.size > 0;
}

async function showNames(): Promise<void> {
  const document = await current("names-said");
  const backend = byId<HTMLSelectElement>("names-backend");
  const before = backend.value;
  const all = (document?.backends ?? []).slice(0, 500).map(({ name }) => name);
  backend.replaceChildren(h("option", { value: "" }, texts.everyBackend), ...all.map((name) => h("option", { value: name, selected: name === before }, name)));
  const pasted = byId<HTMLTextAreaElement>("tools").value;
  if (pasted.trim() === "") {
    tables.names.show([]);
    byId("names-said").textContent = texts.pasteTools;
    return;
  }
  const naming = await asked(core.names(chosen(), backend.value, pasted), "names-said");
  if (naming === null) return;
  byId("names-said").textContent = naming.problem ?? texts.configured(naming.strategy);
  const fate = ({ name, reason }: { name: string | null; reason: string | null }) => name ?? `✗ ${reason}`;
  tables.names.show(naming.tools.map((one) => ({ cells: [one.backend, one.tool, fate(one.prefix), fate(one.priority), fate(one.manual)] })));
}

async function showChanges(): Promise<void> {
  const old = byId<HTMLTextAreaElement>("old").value;
  const said = byId("compare-said");
  if (old.trim() === "") {
    said.textContent = texts.pasteOld;
    byId("changes").replaceChildren();
    return;
  }
  const comparison = await asked(core.compare(old, chosen()), "compare-said");
  if (comparison === null) return;
  const { problem, changes } = comparison;
  said.textContent = problem ?? (changes.length === 0 ? texts.same : texts.changes(changes.length));
  byId("changes").replaceChildren(...changes.slice(0, 1000).map(({ topic, kind, text, at }) =>
    h("li", { class: kind }, h("strong", {}, `${topic}: `),
      at === null ? text : h("button", { type: "button", class: "link", onclick: () => editor.go(at) }, text))));
}

/** What `vmcp render` makes of custom resources. */
function showMade(): void {
  const made = view.made ?? "";
  byId("made").textContent = made;
  byId("made").hidden = byId("copy-made").hidden = made === "";
  byId("made-said").textContent = view.made === null ? texts.noResources : made === "" ? texts.nothingMade : texts.made;
}

function showShare(): void {
  byId("secrets").hidden = view.secrets === 0;
  byId("secrets").textContent = texts.secretsInLink(view.secrets);
  byId("make-link").textContent = view.secrets === 0 ? texts.makeLink : texts.linkAnyway;
}

/** Configurations become the text, one after the other; certificates stand beside it. */
async function take(files: File[]): Promise<void> {
  const documents: string[] = [];
  const bundles: [string, Uint8Array][] = [];
  const said: string[] = [];
  const unplaced: string[] = [];
  for (const file of files) {
    const bytes = await readFile(file, said);
    if (bytes === null) continue;
    const head = decode(bytes.subarray(0, 1 << 16));
    const pem = /-----BEGIN /.test(head) && !/^\s*(apiVersion|kind|name|backends)\s*:/m.test(head);
    const der = bytes[0] === 0x30 && bytes[1] === 0x82;
    if (pem || der || /\.(crt|pem|cer|der)$/i.test(file.name)) bundles.push([file.name, bytes]);
    else if (head.includes("\0")) said.push(texts.binary(file.name));
    else documents.push(decode(bytes));
  }
  if (documents.length > 0) editor.load(documents.length === 1 ? documents[0] : documents.map((text) => text.replace(/\n?$/, "\n")).join("---\n"));
  // What they say tells where the certificates belong.
  await check();
  for (const [name, bytes] of bundles) {
    const place = await placeOf(name);
    core.giveFile(place ?? name, bytes);
    if (place === null) unplaced.push(name);
    else said.push(texts.placed(name, place));
  }
  if (unplaced.length > 0) said.push(texts.notPlaced(unplaced));
  done(said.join(" "));
  if (bundles.length === 0) return;
  await check();
  if (documents.length === 0) open("needs");
}

async function takeOld(file: File): Promise<void> {
  const said: string[] = [];
  const bytes = await readFile(file, said);
  if (bytes === null) return void (byId("compare-said").textContent = said.join(" "));
  byId<HTMLTextAreaElement>("old").value = decode(bytes);
  await showChanges();
}

async function readFile(file: File, said: string[]): Promise<Uint8Array | null> {
  if (file.size > LIMIT) said.push(texts.tooLarge(file.name));
  else {
    const read = await file.arrayBuffer().catch(() => null);
    if (read !== null) return new Uint8Array(read);
    said.push(texts.unreadable(file.name));
  }
  return null;
}

/** The path by which the configuration asks for it, if just one file of this name is asked for; one that is here already comes last. */
async function placeOf(name: string): Promise<string | null> {
  const documents = await Promise.all(view.documents.map((_, index) => core.document(index)));
  const named = documents.flatMap((document) => document?.files ?? []).filter((file) => file.name.split("/").pop() === name);
  const open = named.filter(({ given }) => !given);
  const paths = [...new Set((open.length > 0 ? open : named).map((file) => file.name))];
  return paths.length === 1 ? paths[0] : null;
}

function decode(bytes: Uint8Array): string {
  const encoding = bytes[0] === 0xff && bytes[1] === 0xfe ? "utf-16le" : bytes[0] === 0xfe && bytes[1] === 0xff ? "utf-16be" : "utf-8";
  return new TextDecoder(encoding, { ignoreBOM: true }).decode(bytes);
}

const tabs = [...document.querySelectorAll<HTMLElement>("[role=tab]")];
/** Shows a panel, and puts the focus on its tab, or on a finding. */
function open(name: string, focus?: "tab" | number): void {
  panel = name;
  for (const tab of tabs) {
    const here = tab.id === `tab-${name}`;
    tab.setAttribute("aria-selected", String(here));
    tab.tabIndex = here ? 0 : -1;
    byId(tab.getAttribute("aria-controls")!).hidden = !here;
    if (here && focus === "tab") tab.focus();
  }
  if (typeof focus === "number") shownFindings = Math.max(shownFindings, focus + 1);
  show();
  if (typeof focus === "number") focusFinding(focus);
}
tabs.forEach((tab, index) => {
  tab.addEventListener("click", () => open(tab.id.slice(4)));
  tab.addEventListener("keydown", ({ key }) => {
    const to = { ArrowRight: index + 1, ArrowLeft: index - 1, Home: 0, End: tabs.length - 1 }[key];
    if (to !== undefined) open(tabs[(to + tabs.length) % tabs.length].id.slice(4), "tab");
  });
});

function on(id: string, event: string, listener: (event: Event) => unknown): void {
  byId(id).addEventListener(event, (event) => void listener(event));
}
on("which", "change", show);
on("variables", "input", ({ target }) => { core.giveVariables((target as HTMLTextAreaElement).value.replace(/=.*$/gm, "")); return check(); });
on("tools", "input", showNames);
on("names-backend", "change", showNames);
on("old", "input", showChanges);
on("take-old", "click", () => { byId<HTMLTextAreaElement>("old").value = editor.text; return showChanges(); });
on("files", "change", ({ target }) => {
  const input = target as HTMLInputElement;
  const files = [...(input.files ?? [])];
  // So that the same file can be opened again.
  input.value = "";
  return take(files);
});
on("sample", "change", ({ target }) => {
  const sample = samples.find(({ name }) => name === (target as HTMLSelectElement).value);
  if (sample) editor.load(sample.text);
});
on("fix-all", "click", () => {
  const safe = view.findings.filter((found) => found.safe);
  // Edits that touch each other are left for the next time.
  let end = { line: 0, column: 0 };
  const edits = safe.flatMap((found) => found.edits).sort((a, b) => a.at.line - b.at.line || a.at.column - b.at.column).filter(({ at }) => {
    const apart = at.line > end.line || (at.line === end.line && at.column >= end.column);
    if (apart) end = { line: at.endLine, column: at.endColumn };
    return apart;
  });
  editor.apply(edits);
  done(texts.applied(safe.length));
});
/** Elsewhere than on https and loopback, browsers have no clipboard for pages. */
async function copy(text: string, said: string): Promise<void> {
  byId(said).textContent = await Promise.resolve().then(() => navigator.clipboard.writeText(text)).then(() => texts.copied, () => texts.notCopied);
}
on("copy", "click", () => {
  doneFor = editor.text;
  return copy(editor.wholeText, "done");
});
on("copy-made", "click", () => copy(view.made ?? "", "made-said"));
on("copy-link", "click", () => {
  const made = byId<HTMLInputElement>("link");
  made.select();
  return copy(made.value, "share-said");
});
on("make-link", "click", async () => {
  const made = await link(editor.wholeText);
  byId<HTMLInputElement>("link").value = made;
  byId("link-row").hidden = false;
  const where = location.protocol === "file:" ? "disk" : /^(127\.0\.0\.1|localhost|\[::1\])$/.test(location.hostname) ? "loopback" : "web";
  byId("share-said").textContent = texts.linkReady(made.length, where);
});
on("save-findings", "click", () => save("findings.json", new Blob([JSON.stringify(view.findings, null, 2)], { type: "application/json" })));
on("save-svg", "click", async () => { const svg = await drawing(); if (svg) save("vmcp.svg", new Blob([standalone(svg)], { type: "image/svg+xml" })); });
on("save-png", "click", async () => { const svg = await drawing(); if (svg) save("vmcp.png", await png(svg)); });

async function drawing(): Promise<SVGElement | null> {
  const document = await current("share-said");
  return document ? picture(document, places) : null;
}

async function png(svg: SVGElement): Promise<Blob> {
  const image = new Image();
  image.src = URL.createObjectURL(new Blob([standalone(svg)], { type: "image/svg+xml" }));
  await image.decode();
  const canvas = document.createElement("canvas");
  const scale = Math.min(2, 16_000 / Math.max(image.width, image.height));
  [canvas.width, canvas.height] = [image.width * scale, image.height * scale];
  canvas.getContext("2d")!.drawImage(image, 0, 0, canvas.width, canvas.height);
  URL.revokeObjectURL(image.src);
  return new Promise((resolve, reject) => canvas.toBlob((blob) => (blob ? resolve(blob) : reject(new Error("no image"))), "image/png"));
}

document.addEventListener("dragover", (event) => event.preventDefault());
document.addEventListener("drop", (event) => {
  if (!event.dataTransfer?.files.length) return;
  event.preventDefault();
  const files = [...event.dataTransfer.files];
  void (byId("panel-compare").contains(event.target as Node) ? takeOld(files[0]) : take(files));
}, { capture: true });

byId("sample").append(...samples.map(({ name, title }) => h("option", { value: name }, title)));

async function fromLink(): Promise<boolean> {
  const text = await linked(location.hash).catch(() => undefined);
  if (text === undefined) say(texts.badLink, "error");
  if (typeof text === "string") editor.load(text);
  return text !== null;
}
addEventListener("hashchange", () => void fromLink());

/** What `vmcp preview` knows of its file; each character of `files` is a byte. */
type State = { text: string; files: Record<string, string>; variables: string[] };

async function showState({ text, files, variables }: State): Promise<void> {
  for (const name of core.files.keys()) if (!(name in files)) core.takeFile(name);
  for (const [name, bytes] of Object.entries(files)) core.giveFile(name, Uint8Array.from(bytes, (character) => character.charCodeAt(0)));
  core.giveVariables(variables.join("\n"));
  if (text === editor.wholeText) await check();
  else editor.load(text);
}

/** `vmcp preview` gives the file, and its CA files, and gives them again when they change. */
async function live(path: string): Promise<void> {
  let seen = "";
  for (;;) {
    try {
      const response = await fetch(`${path}?since=${encodeURIComponent(seen)}`);
      if (response.status === 200) {
        const state = await response.json();
        seen = state.version;
        byId("live").textContent = state.problem === undefined ? texts.live(state.name) : texts.problem(state.problem);
        if (state.problem === undefined) await showState(state);
      }
    } catch {
      byId("live").textContent = texts.lost;
    }
    await new Promise((resolve) => setTimeout(resolve, 1000));
  }
}

open("findings");
const state = document.querySelector<HTMLMetaElement>("meta[name=vmcp-state]")?.content;
if (state) void live(state);
else {
  void fromLink().then((given) => { if (!given && editor.view.state.doc.length === 0) return check(); });
  if (document.querySelector("meta[name=vmcp-offline]") && "serviceWorker" in navigator) navigator.serviceWorker.register("sw.js").catch(() => {});
}
Object.assign(window, { vmcpPreview: { editor, core, shown } });
