// One drawing: clients, the server, its backends, and how each is trusted and authenticated.
import type { BackendView, DocumentView, Region } from "../../target/pack/web/preview.d.ts";
import { s } from "./dom.ts";
import { texts } from "./texts.ts";

/** More are drawn in columns, one line each. */
const FEW = 24;
const MOST = 600;

type Places = { go: (at: Region) => void; point: (at: Region | null) => void };

export function picture(view: DocumentView, places: Places): SVGElement {
  const served = view.backends.filter(({ standing }) => standing === "served").length;
  const few = view.backends.length <= FEW;
  // What is rejected is drawn first: nobody should have to look for it.
  const order = few ? view.backends : [...view.backends].sort((a, b) => (a.standing > b.standing ? 1 : a.standing < b.standing ? -1 : 0));
  const drawn = order.slice(0, MOST);
  // Few stand to the right of the server, each at the end of its line; many stand below it, in columns.
  const [height, width, columns] = few ? [74, 440, 1] : [24, 306, 2];
  const rows = Math.ceil(drawn.length / columns);
  const [left, top] = few ? [300, 10] : [10, 134];
  const total = { width: left + columns * (width + 12), height: Math.max(rows * height, few ? 120 : 0) + top + 30 };
  // In sight without scrolling, however many there are.
  const middle = few ? Math.min(total.height / 2, 240) : 46;
  const svg = s("svg", {
    viewBox: `0 0 ${total.width} ${total.height}`, width: total.width, height: total.height,
    class: few ? "few" : "many", role: few ? "group" : "img", "aria-label": texts.picture(served, view.backends.length),
    "font-family": "system-ui, sans-serif", "font-size": 13, fill: "var(--ink)",
  });
  svg.append(
    box(10, middle - 20, 90, 40, "var(--rule)", texts.clients),
    line(100, middle, 120, middle, "var(--ink)"),
    server(view, middle, places, few),
  );
  drawn.forEach((backend, index) => {
    const [x, y] = [left + Math.floor(index / rows) * (width + 12), top + (index % rows) * height];
    if (few) svg.append(line(270, middle, left, y + height / 2 - 4, colour(backend), backend.standing === "rejected"));
    svg.append(few ? card(backend, x, y, width, height - 8, places) : row(backend, x, y, width, places));
  });
  if (!few) {
    svg.append(line(195, middle + 32, 195, top - 36, "var(--ink)"), ...texts.legend.map((text, index) => label(left, top - 24 + index * 15, text)));
  }
  if (order.length > drawn.length) svg.append(label(left, total.height - 10, texts.notDrawn(order.length - drawn.length)));
  return svg;
}

function server(view: DocumentView, middle: number, places: Places, focusable: boolean): SVGElement {
  const lines = [view.name || "vMCP", texts.incoming(view.incoming), view.issuer?.replace(/^https:\/\//, "") ?? ""].filter(Boolean);
  const group = s("g", goes(view.incomingAt, places, focusable), s("title", {}, lines.join(", ")));
  group.append(box(120, middle - 32, 150, 64, "var(--accent)", ""));
  lines.forEach((text, index) => group.append(label(130, middle - 8 + index * 17, clip(text, 19), index === 0)));
  return group;
}

function card(backend: BackendView, x: number, y: number, width: number, height: number, places: Places): SVGElement {
  const group = s("g", goes(backend.at, places, true), s("title", {}, told(backend)));
  group.append(
    box(x, y, width, height, colour(backend), "", backend.standing === "rejected"),
    label(x + 10, y + 19, clip(backend.name || "?", 28), true),
    label(x + width - 10, y + 19, [backend.kind, backend.transport].filter(Boolean).join(" · "), false, "end"),
    ...about(backend).map((text, index) => label(x + 10, y + 38 + index * 17, text)),
  );
  return group;
}

/** Why it is rejected; else how it is trusted, and with what it is called. */
function about(backend: BackendView): [string, string] {
  if (backend.reason === null) return [`${mark(backend)} ${trust(backend, 44)}`, clip(auth(backend), 60)];
  const letters = [...`✗ ${backend.reason}`];
  // Not in the midst of a word, if there is a space near.
  const space = letters.lastIndexOf(" ", 58);
  const end = letters.length <= 58 ? letters.length : space > 30 ? space : 58;
  return [letters.slice(0, end).join(""), clip(letters.slice(end).join("").trim(), 58)];
}

function row(backend: BackendView, x: number, y: number, width: number, places: Places): SVGElement {
  const group = s("g", goes(backend.at, places, false), s("title", {}, told(backend)));
  const aside = backend.reason === null ? clip(short(backend), 26) : clip(backend.reason, Math.max(34 - [...backend.name].length, 12));
  group.append(
    s("rect", { x, y, width, height: 20, rx: 3, fill: "var(--panel)" }),
    s("rect", { x, y, width: 5, height: 20, fill: colour(backend) }),
    label(x + 12, y + 15, clip(`${mark(backend)} ${backend.name || "?"}`, 38 - [...aside].length), backend.standing === "rejected"),
    label(x + width - 6, y + 15, aside, false, "end"),
  );
  return group;
}

const SHORT = { bundle: "CA", pinned: "pin", system: "roots", nobody: "http" };
const short = (backend: BackendView) => `${backend.transport === "sse" ? "sse" : "stream"} ${SHORT[backend.trust]} ${backend.auth === "unauthenticated" ? "–" : backend.auth}`;
const mark = ({ standing }: BackendView) => (standing === "served" ? "✓" : "✗");
const trust = (backend: BackendView, length = Infinity) =>
  backend.caBundle && backend.trust !== "nobody" ? `${texts.vouching[backend.trust]} ${tail(backend.caBundle, length)}` : texts.vouching[backend.trust];
const auth = ({ auth, header }: BackendView) => (header === null ? auth : `${auth} ${header}`);

function told(backend: BackendView): string {
  const standing = backend.standing === "served" ? texts.served : `${texts.rejected}: ${backend.reason}`;
  return `${backend.name}: ${standing}; ${backend.url}; ${backend.kind}, ${backend.transport}; ${trust(backend)}; ${auth(backend)}`;
}

function colour({ standing, trust }: BackendView): string {
  if (standing === "rejected") return "var(--error)";
  return trust === "nobody" ? "var(--warning)" : "var(--good)";
}

/** What leads to the text; its name is its `<title>`. */
function goes(at: Region | null, places: Places, focusable: boolean): Record<string, unknown> {
  if (at === null) return {};
  const listeners = { onclick: () => places.go(at), onpointerenter: () => places.point(at), onpointerleave: () => places.point(null), class: "goes" };
  if (!focusable) return listeners;
  const onkeydown = (event: KeyboardEvent) => {
    if (event.key !== "Enter" && event.key !== " ") return;
    event.preventDefault();
    places.go(at);
  };
  return { ...listeners, onkeydown, role: "button", tabindex: 0 };
}

function box(x: number, y: number, width: number, height: number, stroke: string, text: string, dashed = false): SVGElement {
  const rect = s("rect", { x, y, width, height, rx: 6, fill: "var(--panel)", stroke, "stroke-width": 1.5, "stroke-dasharray": dashed && "5 4" });
  return s("g", {}, rect, text !== "" && label(x + width / 2, y + height / 2 + 5, text, false, "middle"));
}

function line(x1: number, y1: number, x2: number, y2: number, stroke: string, dashed = false): SVGElement {
  const bend = (x1 + x2) / 2;
  return s("path", { d: `M${x1} ${y1} C${bend} ${y1} ${bend} ${y2} ${x2} ${y2}`, fill: "none", stroke, "stroke-width": 1.5, "stroke-dasharray": dashed && "5 4" });
}

function label(x: number, y: number, text: string, bold = false, anchor = "start"): SVGElement {
  return s("text", { x, y, "font-weight": bold && 600, "text-anchor": anchor }, text);
}

function clip(text: string, length: number): string {
  const letters = [...text];
  return letters.length <= length ? text : `${letters.slice(0, length - 1).join("")}…`;
}

/** The end of a path tells more than its beginning. */
function tail(text: string, length: number): string {
  const letters = [...text];
  return letters.length <= length ? text : `…${letters.slice(1 - length).join("")}`;
}

/** The drawing as a file: its colours are those that the page has now. */
export function standalone(svg: SVGElement): string {
  const copy = svg.cloneNode(true) as SVGElement;
  const style = getComputedStyle(document.documentElement);
  copy.setAttribute("xmlns", "http://www.w3.org/2000/svg");
  copy.prepend(s("rect", { width: "100%", height: "100%", fill: "var(--paper)" }));
  return copy.outerHTML.replace(/var\((--[a-z-]+)\)/g, (_, name: string) => style.getPropertyValue(name).trim());
}
