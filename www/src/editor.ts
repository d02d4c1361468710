// The text: CodeMirror in a shadow root, where its styles work without relaxing the page's policy.
import { autocompletion, closeBrackets, closeBracketsKeymap, completionKeymap, type CompletionContext } from "@codemirror/autocomplete";
import { defaultKeymap, history, historyKeymap, isolateHistory } from "@codemirror/commands";
import { yamlLanguage } from "@codemirror/lang-yaml";
import { bracketMatching, foldGutter, foldKeymap, HighlightStyle, indentOnInput, indentUnit, LanguageSupport, syntaxHighlighting } from "@codemirror/language";
import { forEachDiagnostic, lintGutter, nextDiagnostic, previousDiagnostic, setDiagnostics, type Diagnostic } from "@codemirror/lint";
import { highlightSelectionMatches, search, searchKeymap } from "@codemirror/search";
import { Compartment, EditorState, StateEffect, StateField, type ChangeSpec, type Text, type Transaction, type TransactionSpec } from "@codemirror/state";
import { Decoration, drawSelection, EditorView, highlightActiveLine, highlightActiveLineGutter, highlightSpecialChars, hoverTooltip, keymap, lineNumbers } from "@codemirror/view";
import { parseMixed } from "@lezer/common";
import { tags } from "@lezer/highlight";
import type { Found, Region, TextEdit } from "../../target/pack/web/preview.d.ts";
import type { Core } from "./core.ts";
import { h } from "./dom.ts";
import { texts } from "./texts.ts";

const point = StateEffect.define<{ from: number; to: number } | null>();
const pointed = StateField.define({
  create: () => Decoration.none,
  update(marks, transaction) {
    marks = marks.map(transaction.changes);
    for (const effect of transaction.effects) {
      if (!effect.is(point)) continue;
      const { from, to } = effect.value ?? { from: 0, to: 0 };
      marks = from < to ? Decoration.set([Decoration.mark({ class: "pointed" }).range(from, to)]) : Decoration.none;
    }
    return marks;
  },
  provide: (field) => EditorView.decorations.from(field),
});

const colours = HighlightStyle.define([
  { tag: [tags.propertyName, tags.definition(tags.propertyName)], color: "var(--key)" },
  { tag: [tags.string, tags.content], color: "var(--value)" },
  { tag: [tags.comment, tags.lineComment], color: "var(--faint)" },
  { tag: [tags.keyword, tags.meta, tags.typeName, tags.labelName], color: "var(--special)" },
]);

const theme = EditorView.theme({
  "&": { height: "100%", color: "var(--ink)", backgroundColor: "var(--paper)", fontSize: "0.875rem" },
  "&.cm-focused": { outline: "2px solid var(--accent)", outlineOffset: "-2px" },
  ".cm-scroller": { fontFamily: "var(--mono)", lineHeight: "1.5" },
  ".cm-content": { caretColor: "var(--ink)" },
  ".cm-cursor": { borderLeftColor: "var(--ink)" },
  ".cm-gutters": { backgroundColor: "var(--panel)", color: "var(--faint)", borderRight: "1px solid var(--rule)" },
  // What is selected is drawn behind the line.
  ".cm-activeLine, .cm-activeLineGutter": { backgroundColor: "color-mix(in srgb, var(--accent) 9%, transparent)" },
  "&.cm-focused > .cm-scroller > .cm-selectionLayer .cm-selectionBackground, .cm-selectionBackground": { backgroundColor: "var(--selection)" },
  ".cm-tooltip, .cm-panels": { backgroundColor: "var(--panel)", color: "var(--ink)", border: "1px solid var(--rule)" },
  ".cm-tooltip": { maxWidth: "min(36rem, 90vw)", borderRadius: "4px", boxShadow: "0 2px 8px #0003" },
  ".cm-tooltip-autocomplete > ul > li[aria-selected]": { backgroundColor: "var(--accent)", color: "var(--on-accent)" },
  ".cm-diagnosticAction": { backgroundColor: "var(--accent)", color: "var(--on-accent)", font: "inherit", cursor: "pointer" },
  // As text decoration: forced colours take images away.
  ".cm-lintRange.cm-lintRange": { backgroundImage: "none", textDecoration: "underline wavy var(--accent)", textDecorationSkipInk: "none" },
  ".cm-lintRange.cm-lintRange-warning": { textDecorationColor: "var(--warning)" },
  ".cm-lintRange.cm-lintRange-error": { textDecorationColor: "var(--error)" },
  ".about": { padding: "0.4rem 0.6rem", fontFamily: "var(--sans)" },
  ".about code": { fontFamily: "var(--mono)", color: "var(--key)" },
  ".about p": { margin: "0.2rem 0 0" },
  ".pointed": { backgroundColor: "var(--pointed)", outline: "1px solid var(--accent)" },
  ".cm-foldPlaceholder": { backgroundColor: "var(--active)", color: "var(--ink)" },
});

/** YAML, and YAML inside of the block under `config.yaml` of a ConfigMap. */
const nested = yamlLanguage.configure({
  wrap: parseMixed((node, input) => {
    if (node.name !== "BlockLiteralContent") return null;
    const key = node.node.parent?.parent?.getChild("Key");
    return key && /^["']?config\.yaml["']?$/.test(input.read(key.from, key.to)) ? { parser: yamlLanguage.parser } : null;
  }),
});

export class Editor {
  view: EditorView;
  #separator = new Compartment();
  #language = new Compartment();
  #yaml = new LanguageSupport(nested);
  #mark = "";
  /** Which finding each underlined place is of. */
  #indexes = new Map<Diagnostic, number>();

  constructor(
    parent: HTMLElement,
    private core: Core,
    changed: () => void,
    /** Asked for by its key, at the place of a finding. */
    private findingAsked: (index: number) => void,
  ) {
    const root = parent.attachShadow({ mode: "open" });
    const state = EditorState.create({
      extensions: [
        lineNumbers(), lintGutter(), foldGutter(), history(), drawSelection(), highlightSpecialChars(), indentOnInput(), bracketMatching(),
        closeBrackets(), highlightActiveLine(), highlightActiveLineGutter(), highlightSelectionMatches(), search({ top: true }),
        this.#language.of(this.#yaml), EditorState.transactionExtender.of((transaction) => this.#guard(transaction)), indentUnit.of("  "), syntaxHighlighting(colours), theme, pointed, this.#separator.of([]),
        autocompletion({ override: [(context) => this.#complete(context)], icons: false }),
        hoverTooltip((view, at) => this.#hover(view, at)),
        keymap.of([{ key: "F8", run: nextDiagnostic, shift: previousDiagnostic }, { key: "Mod-.", run: () => this.#askFinding() }]),
        keymap.of([...closeBracketsKeymap, ...defaultKeymap, ...searchKeymap, ...historyKeymap, ...foldKeymap, ...completionKeymap]),
        EditorView.contentAttributes.of({ "aria-label": texts.editor, tabindex: "0", spellcheck: "false", autocapitalize: "off" }),
        EditorView.updateListener.of((update) => {
          if (!update.docChanged) return;
          queueMicrotask(() => this.#colour());
          changed();
        }),
      ],
    });
    this.view = new EditorView({ state, root, parent: root as unknown as Element });
  }

  /** The text, byte for byte but for a byte-order mark, which `wholeText` has. */
  get text(): string {
    // Joined at once: a text that grows line by line would be gone through once more before it can be sent.
    return this.view.state.doc.toJSON().join(this.view.state.lineBreak);
  }

  get wholeText(): string {
    return this.#mark + this.text;
  }

  load(text: string): void {
    this.#mark = text.startsWith("\ufeff") ? "\ufeff" : "";
    text = text.slice(this.#mark.length);
    // Line ends stay as they are if all are alike.
    const separator = /\r\n/.test(text) && !/[^\r]\n|^\n|\r(?!\n)/.test(text) ? "\r\n" : null;
    this.view.dispatch({ effects: this.#separator.reconfigure(separator ? EditorState.lineSeparator.of(separator) : []) });
    this.view.dispatch({
      changes: { from: 0, to: this.view.state.doc.length, insert: this.view.state.toText(text) },
      selection: { anchor: 0 },
      // To undo it is a step of its own.
      annotations: isolateHistory.of("full"),
      scrollIntoView: true,
    });
  }

  show(findings: Found[]): void {
    const { doc } = this.view.state;
    const diagnostics: Diagnostic[] = [];
    this.#indexes.clear();
    for (const [index, found] of findings.entries()) {
      if (found.at === null || found.file !== null) continue;
      const { from, to } = range(doc, found.at);
      const actions = found.edits.length === 0 ? [] : [{ name: texts.fix(found.help ?? ""), apply: () => this.apply(found.edits) }];
      const message = found.help !== null && actions.length === 0 ? `${found.message}\n${found.help}` : found.message;
      const diagnostic: Diagnostic = { from, to, severity: found.severity === "note" ? "info" : found.severity, source: found.code, message, actions };
      diagnostics.push(diagnostic);
      this.#indexes.set(diagnostic, index);
    }
    this.view.dispatch(setDiagnostics(this.view.state, diagnostics));
  }

  apply(edits: TextEdit[]): void {
    const { doc, lineBreak } = this.view.state;
    const changes: ChangeSpec[] = edits.map(({ at, insert }) => ({ ...range(doc, at), insert: insert.replace(/\r?\n/g, lineBreak) }));
    this.view.dispatch({ changes, userEvent: "input.fix" });
  }

  point(at: Region | null): void {
    const place = at && range(this.view.state.doc, at);
    // What is in sight already stays where it is.
    const scroll = place === null ? [] : [EditorView.scrollIntoView(place.from, { yMargin: 40 })];
    this.view.dispatch({ effects: [point.of(place), ...scroll] });
  }

  go(at: Region): void {
    const { from, to } = range(this.view.state.doc, at);
    this.view.dispatch({ selection: { anchor: from, head: to }, effects: EditorView.scrollIntoView(from, { y: "center" }) });
    this.view.focus();
  }

  /** The first finding at the cursor, or else on its line. */
  #askFinding(): boolean {
    const { head } = this.view.state.selection.main;
    const line = this.view.state.doc.lineAt(head);
    let here: number | undefined;
    let near: number | undefined;
    forEachDiagnostic(this.view.state, (diagnostic, from, to) => {
      if (from <= head && head <= to) here ??= this.#indexes.get(diagnostic);
      if (from <= line.to && line.from <= to) near ??= this.#indexes.get(diagnostic);
    });
    const index = here ?? near;
    if (index !== undefined) this.findingAsked(index);
    return index !== undefined;
  }

  /** Takes the highlighter away from a text that nests too deeply for it, however the text came to be. */
  #guard({ docChanged, newDoc, startState }: Transaction): Pick<TransactionSpec, "effects"> | null {
    if (!docChanged || this.#language.get(startState) !== this.#yaml || !isDeep(newDoc)) return null;
    return { effects: this.#language.reconfigure([]) };
  }

  /** Gives it back. Later than the change: a new highlighter begins with the text as it was before. */
  #colour(): void {
    const { state } = this.view;
    if (this.#language.get(state) !== this.#yaml && !isDeep(state.doc)) this.view.dispatch({ effects: this.#language.reconfigure(this.#yaml) });
  }

  async #hover(view: EditorView, at: number) {
    const line = view.state.doc.lineAt(at);
    const about = await this.core.hover(line.number, at - line.from + 1).catch(() => null);
    if (about === null) return null;
    const { from, to } = range(view.state.doc, about.at);
    const dom = h("div", { class: "about" }, h("code", {}, about.key), `: ${about.kind}`, h("p", {}, about.doc));
    if (about.values.length > 0) dom.append(h("p", {}, texts.accepted(about.values)));
    if (about.default !== null) dom.append(h("p", {}, texts.default(about.default)));
    return { pos: from, end: to, above: true, create: () => ({ dom }) };
  }

  async #complete(context: CompletionContext) {
    if (!context.explicit && !context.matchBefore(/[\w"']+$|[:{,]\s+$/)) return null;
    const line = context.state.doc.lineAt(context.pos);
    const choices = await this.core.choices(context.state.sliceDoc(), line.number, context.pos - line.from + 1).catch(() => null);
    if (choices === null || context.aborted) return null;
    const { from } = range(context.state.doc, choices.at);
    const options = choices.items.map((item, rank) => ({
      label: item.label,
      detail: item.kind ?? undefined,
      info: item.doc || undefined,
      apply: item.kind === null ? item.label : `${item.label}: `,
      boost: -rank / 100,
    }));
    return { from, options, validFor: /^[\w"']*$/ };
  }
}

/** The highlighter walks its tree by recursion: nesting without end would exhaust the stack. */
const DEEPEST = 500;

/** Whether more brackets are open somewhere, or more blocks begin on one line. */
function isDeep(doc: Text): boolean {
  let open = 0;
  let begun = 0;
  for (let chunks = doc.iter(); !chunks.next().done; ) {
    const text = chunks.value;
    if (chunks.lineBreak) begun = 0;
    for (let at = 0; at < text.length; at += 1) {
      const code = text.charCodeAt(at);
      if (code === 0x5b || code === 0x7b) open += 1;
      else if ((code === 0x5d || code === 0x7d) && open > 0) open -= 1;
      if (code === 0x20 || code === 0x2d || code === 0x3f) begun += 1;
      else begun = -Infinity;
      if (open > DEEPEST || begun > DEEPEST) return true;
    }
  }
  return false;
}

/** Lines and columns as the core counts them; what is past an end is at the end. */
function range(doc: Text, { line, column, endLine, endColumn }: Region): { from: number; to: number } {
  const place = (line: number, column: number) => {
    const { from, to } = doc.line(Math.min(Math.max(line, 1), doc.lines));
    return Math.min(from + column - 1, to);
  };
  const from = place(line, column);
  return { from, to: Math.max(from, place(endLine, endColumn)) };
}
