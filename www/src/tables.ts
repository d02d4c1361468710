// Tables that are sorted by their headings, filtered by a text, and grow when asked.
import { h } from "./dom.ts";
import { texts } from "./texts.ts";

const STEP = 200;
/** So many rows are seen at a glance; more can be filtered. */
const GLANCE = 8;

export type Cell = string | number | Node;
/** `note` has a line of its own below the cells. */
export type Row = { cells: Cell[]; class?: string; go?: () => void; note?: string | null };

export class Table {
  readonly element: HTMLElement;
  #head: HTMLElement;
  #body = h("tbody");
  #more: HTMLElement;
  #rows: Row[] = [];
  #sorted: { column: number; down: boolean } | null = null;
  #shown = STEP;
  #filter = h("input", { type: "search", oninput: () => { this.#shown = STEP; this.#draw(); } }) as HTMLInputElement;
  #filtering: HTMLElement;
  #count = h("span", { role: "status" });
  #none: HTMLElement;
  #table: HTMLElement;

  constructor(caption: string, columns: string[]) {
    const heading = (name: string, column: number) =>
      h("th", { scope: "col" }, h("button", { type: "button", onclick: () => this.#sort(column) }, name));
    this.#head = h("tr", {}, ...columns.map(heading));
    this.#more = h("button", { type: "button", onclick: () => { this.#shown += STEP; this.#draw(); } });
    const table = h("table", {}, h("caption", {}, caption), h("thead", {}, this.#head), this.#body);
    this.#table = h("div", { class: "table", tabindex: 0, role: "region", "aria-label": caption }, table, this.#more);
    this.#filter.setAttribute("aria-label", `${texts.filter}: ${caption}`);
    this.#filtering = h("p", { class: "filter" }, h("label", {}, `${texts.filter} `, this.#filter), this.#count);
    this.#none = h("p", { class: "faint" }, texts.none(caption));
    this.element = h("div", {}, this.#filtering, this.#none, this.#table);
    this.#draw();
  }

  show(rows: Row[]): void {
    this.#rows = rows;
    this.#draw();
  }

  #sort(column: number): void {
    const down = this.#sorted?.column === column && !this.#sorted.down;
    this.#sorted = { column, down };
    [...this.#head.children].forEach((heading, index) => {
      if (index === column) heading.setAttribute("aria-sort", down ? "descending" : "ascending");
      else heading.removeAttribute("aria-sort");
    });
    this.#draw();
  }

  #draw(): void {
    let rows = this.#rows;
    const filter = this.#filter.value.trim().toLowerCase();
    if (filter !== "") rows = rows.filter(({ cells, note }) => [...cells, note ?? ""].some((cell) => text(cell).toLowerCase().includes(filter)));
    this.#count.textContent = filter === "" ? "" : texts.countOf(rows.length, this.#rows.length);
    this.#none.hidden = this.#rows.length > 0;
    this.#table.hidden = this.#rows.length === 0;
    this.#filtering.hidden = this.#rows.length <= GLANCE && filter === "";
    if (this.#sorted !== null) {
      const { column, down } = this.#sorted;
      const order = (a: Row, b: Row) => compare(a.cells[column], b.cells[column]);
      rows = [...rows].sort((a, b) => (down ? order(b, a) : order(a, b)));
    }
    this.#body.replaceChildren(...rows.slice(0, this.#shown).flatMap(row));
    this.#more.hidden = rows.length <= this.#shown;
    this.#more.textContent = texts.more(rows.length - this.#shown);
  }
}

function row({ cells, class: name, go, note }: Row): HTMLElement[] {
  const cell = (content: Cell, index: number) => {
    const inside = index === 0 && go ? h("button", { type: "button", class: "link", onclick: go }, text(content)) : content;
    return h("td", {}, inside instanceof Node ? inside : String(inside));
  };
  const line = h("tr", { class: name }, ...cells.map(cell));
  return note ? [line, h("tr", { class: `note ${name}` }, h("td", { colspan: cells.length }, h("div", {}, note)))] : [line];
}

function text(cell: Cell): string {
  return cell instanceof Node ? (cell.textContent ?? "") : String(cell);
}

function compare(a: Cell, b: Cell): number {
  return typeof a === "number" && typeof b === "number" ? a - b : text(a).localeCompare(text(b), "en", { numeric: true });
}
