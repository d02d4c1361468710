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
const editor = new Editor(byId("editor"), core, () => void check());
const verdict = byId("verdict");
const which = byId<HTMLSelectElement>("which");
const places = { go: (at: Region) => editor.go(at), point: (at: Region | null) => editor.point(at) };

let view: View = { findings: [], documents: [], certificates: [], matchers: [], secrets: 0, made: null };
let shownFindings = FINDINGS;
/** What the page shows now, for its tests and for the console. */
const shown = { text: "", view, milliseconds: 0 };

const tables = {
  backends: new Table(texts.tables.backends, texts.backendColumns),
  settings: new Table(texts.tables.settings, texts.settingColumns),
  needs: new Table(texts.tables.needs, texts.needColumns),
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
  if (text !== shown.text) {
    byId("link-row").hidden = true;
    byId("share-said").textContent = "";
  }
  view = answer;
  editor.show(view.findings);
  shownFindings = FINDINGS;
  which.replaceChildren(...view.documents.map(({ configMap, name }, index) => h("option", { value: index }, configMap ?? name ?? "")));
  byId("which-label").hidden = view.documents.length < 2;
  show();
  Object.assign(shown, { text, view, milliseconds: performance.now() - started });
  document.documentElement.dataset.checked = "";
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
  else say(document?.verdict ?? view.findings[0]?.message ?? texts.noConfiguration, !document?.starts ? "error" : document.rejected > 0 ? "warning" : "good");
  const count = (severity: string) => view.findings.filter((found) => found.severity === severity).length;
  byId("counts").textContent = texts.counts(count("error"), count("warning"), count("note"));
  void panels[panel]();
}

function say(text: string, kind: string): void {
  if (verdict.textContent !== text) verdict.textContent = text;
  verdict.className = kind;
}

function showFindings(): void {
  const list = view.findings.slice(0, shownFindings).map(finding);
  const rest = view.findings.length - shownFindings;
  if (rest > 0) list.push(h("li", {}, h("button", { type: "button", onclick: () => { shownFindings += FINDINGS; showFindings(); } }, texts.more(rest))));
  byId("findings").replaceChildren(...list);
  byId("matchers").textContent = texts.matchers(view.matchers.map(({ line }) => line));
  byId("matchers").hidden = view.matchers.length === 0;
  byId("no-findings").hidden = view.findings.length > 0 || editor.view.state.doc.length === 0;
}

function finding(found: Found): HTMLElement {
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
    edits.length > 0 ? h("button", { type: "button", class: "fix", onclick: () => editor.apply(edits) }, texts.fix(help ?? "")) : help && h("p", { class: "help" }, help),
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
      backend.standing === "served" ? texts.served : `${texts.rejected}: ${backend.reason}`,
      backend.url, backend.transport, backend.kind,
      [backend.auth, backend.header, backend.variables.join(" "), backend.authSource === "default" ? texts.byDefaultStrategy : ""].filter(Boolean).join(" "),
      backend.caBundle && backend.trust !== "nobody" ? `${texts.vouching[backend.trust]} ${backend.caBundle}` : texts.vouching[backend.trust],
    ] as Cell[],
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
  const need = (kind: string) => ({ name, backend, required, given, at }: DocumentView["files"][number]) => ({
    go: () => editor.go(at),
    cells: [name, required ? kind : `${kind}, ${texts.optional}`, backend ?? "", given ? texts.given : texts.notGiven],
  });
  tables.needs.show([...(document?.files ?? []).map(need(texts.file)), ...(document?.variables ?? []).map(need(texts.variable))]);
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
async function take(files: Iterable<File>): Promise<void> {
  const documents: string[] = [];
  for (const file of files) {
    if (file.size > LIMIT) {
      say(texts.tooLarge(file.name), "error");
      continue;
    }
    const bytes = new Uint8Array(await file.arrayBuffer());
    const head = new TextDecoder().decode(bytes.subarray(0, 1 << 16));
    const certificate = /-----BEGIN /.test(head) && !/^\s*(apiVersion|kind|name|backends)\s*:/m.test(head);
    if (certificate || /\.(crt|pem|cer|der)$/i.test(file.name)) core.giveFile(await placeOf(file.name), bytes);
    else documents.push(decode(bytes));
  }
  if (documents.length > 0) editor.load(documents.length === 1 ? documents[0] : documents.map((text) => text.replace(/\n?$/, "\n")).join("---\n"));
  else await check();
}

/** The path by which the configuration asks for it, if just one file of this name is asked for and not here yet. */
async function placeOf(name: string): Promise<string> {
  const documents = await Promise.all(view.documents.map((_, index) => core.document(index)));
  const wanted = documents.flatMap((document) => document?.files ?? []).filter((file) => !file.given && file.name.split("/").pop() === name);
  return wanted.length === 1 ? wanted[0].name : name;
}

function decode(bytes: Uint8Array): string {
  const encoding = bytes[0] === 0xff && bytes[1] === 0xfe ? "utf-16le" : bytes[0] === 0xfe && bytes[1] === 0xff ? "utf-16be" : "utf-8";
  return new TextDecoder(encoding, { ignoreBOM: true }).decode(bytes);
}

const tabs = [...document.querySelectorAll<HTMLElement>("[role=tab]")];
function open(name: string, focus = false): void {
  panel = name;
  for (const tab of tabs) {
    const here = tab.id === `tab-${name}`;
    tab.setAttribute("aria-selected", String(here));
    tab.tabIndex = here ? 0 : -1;
    byId(tab.getAttribute("aria-controls")!).hidden = !here;
    if (here && focus) tab.focus();
  }
  show();
}
tabs.forEach((tab, index) => {
  tab.addEventListener("click", () => open(tab.id.slice(4)));
  tab.addEventListener("keydown", ({ key }) => {
    const to = { ArrowRight: index + 1, ArrowLeft: index - 1, Home: 0, End: tabs.length - 1 }[key];
    if (to !== undefined) open(tabs[(to + tabs.length) % tabs.length].id.slice(4), true);
  });
});

function on(id: string, event: string, listener: (event: Event) => unknown): void {
  byId(id).addEventListener(event, (event) => void listener(event));
}
on("which", "change", show);
on("filter", "input", ({ target }) => tables.backends.filter((target as HTMLInputElement).value));
on("variables", "input", ({ target }) => { core.giveVariables((target as HTMLTextAreaElement).value.replace(/=.*$/gm, "")); return check(); });
on("tools", "input", showNames);
on("names-backend", "change", showNames);
on("old", "input", showChanges);
on("take-old", "click", () => { byId<HTMLTextAreaElement>("old").value = editor.text; return showChanges(); });
on("files", "change", ({ target }) => take((target as HTMLInputElement).files ?? []));
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
  byId("done").textContent = texts.applied(safe.length);
});
on("copy", "click", async () => {
  await navigator.clipboard.writeText(editor.wholeText);
  byId("done").textContent = texts.copied;
});
on("copy-made", "click", async () => {
  await navigator.clipboard.writeText(view.made ?? "");
  byId("made-said").textContent = texts.copied;
});
on("make-link", "click", async () => {
  byId<HTMLInputElement>("link").value = await link(editor.wholeText);
  byId("link-row").hidden = false;
  byId("share-said").textContent = texts.linkReady;
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
  void take(event.dataTransfer.files);
}, { capture: true });

byId("sample").append(...samples.map(({ name, title }) => h("option", { value: name }, title)));

async function fromLink(): Promise<boolean> {
  const text = await linked(location.hash).catch(() => undefined);
  if (text === undefined) say(texts.badLink, "error");
  if (typeof text === "string") editor.load(text);
  return text !== null;
}
addEventListener("hashchange", () => void fromLink());

/** `vmcp preview` gives the file, and its CA files, and gives them again when they change. */
async function live(path: string): Promise<void> {
  let seen = "";
  for (;;) {
    try {
      const response = await fetch(`${path}?since=${encodeURIComponent(seen)}`);
      if (response.status === 200) {
        const state = await response.json();
        seen = state.version;
        byId("live").textContent = texts.live(state.name);
        for (const name of core.files.keys()) if (!(name in state.files)) core.takeFile(name);
        for (const [name, bytes] of Object.entries<string>(state.files)) core.giveFile(name, Uint8Array.from(bytes, (character) => character.charCodeAt(0)));
        core.giveVariables(state.variables.join("\n"));
        if (state.text === editor.wholeText) await check();
        else editor.load(state.text);
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
