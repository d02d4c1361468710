// The page: gives the text to the core at every change, and lists what it says. It judges nothing itself.
import { initSync, validate } from "./vmcp.js";
import module from "./module.js";

const text = document.getElementById("text");
const verdict = document.getElementById("verdict");
const findings = document.getElementById("findings");
const needs = document.getElementById("needs");
const needed = document.getElementById("needed");

// The module is part of a script, so that the page may be forbidden every connection.
initSync({ module: Uint8Array.from(atob(module), (character) => character.charCodeAt(0)) });
text.addEventListener("input", check);
check();

function check() {
  if (text.value.trim() === "") {
    show("Nothing to check yet.", [], { files: [], variables: [] });
    return;
  }
  let report;
  try {
    report = JSON.parse(validate(text.value, "input"));
  } catch (error) {
    // A panic leaves the module in an unknown state; only a fresh page can be trusted again.
    text.removeEventListener("input", check);
    show(`vmcp itself failed on this text (${error}). Please report it, and reload the page.`, [], {
      files: [],
      variables: [],
    });
    return;
  }
  show(summary(report), report.diagnostics, report.needs);
}

function summary({ valid, diagnostics }) {
  const counted = (severity) => {
    const count = diagnostics.filter((finding) => finding.severity === severity).length;
    return count === 0 ? [] : [`${count} ${severity}${count === 1 ? "" : "s"}`];
  };
  const counts = ["error", "warning", "note"].flatMap(counted).join(", ");
  return `${valid ? "Valid" : "Not valid"}${counts && `: ${counts}`}.`;
}

function show(sentence, diagnostics, { files, variables }) {
  verdict.textContent = sentence;
  findings.replaceChildren(...diagnostics.map(item));
  needed.replaceChildren(...[...files, ...variables].map((name) => element("li", "", name)));
  needs.hidden = needed.childElementCount === 0;
}

function item(finding) {
  const { severity, code, message, help, line, column } = finding;
  const button = element("button", severity, `${severity}[${code}]${line === null ? "" : ` ${line}:${column}`}`);
  button.type = "button";
  button.append(element("span", "", message));
  if (help !== null) button.append(element("span", "help", `help: ${help}`));
  if (line !== null) button.addEventListener("click", () => select(finding));
  const entry = document.createElement("li");
  entry.append(button);
  return entry;
}

function select({ line, column, endLine, endColumn }) {
  text.focus();
  text.setSelectionRange(offset(line, column), offset(endLine, endColumn));
}

/** Lines and columns count from 1, columns in UTF-16 code units; a text area has LF alone between lines. */
function offset(line, column) {
  let start = 0;
  for (let passed = 1; passed < line; passed += 1) {
    const end = text.value.indexOf("\n", start);
    if (end === -1) return text.value.length;
    start = end + 1;
  }
  return start + column - 1;
}

function element(name, className, content) {
  const made = document.createElement(name);
  made.className = className;
  made.textContent = content;
  return made;
}
