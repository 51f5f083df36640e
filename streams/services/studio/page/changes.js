// Show what a draft changes: rule by rule and term by term.

import { el, replaceContent } from "./dom.js";
import { line, pair, side } from "./sides.js";
import { currentLanguage, date, number, word } from "./words.js";

/** Show the draft that is picked: its version, its faults and what it changes. */
export function showDraft(shown) {
  document.getElementById("facts").textContent = shown?.version
    ? word("drafts.facts", {
        version: shown.version,
        day: date(shown.valid_from),
        rules: number(shown.rules),
      })
    : "";
  replaceContent("faults", ...faults(shown));
  document.getElementById("base").textContent = shown ? word("changes.base", { version: shown.base }) : "";
  replaceContent("changes", ...blocks(shown));
}

function faults(shown) {
  if (!shown?.faults.length) return [];
  return [
    el("p", { class: "fault" }, word("drafts.faults")),
    el("ul", { class: "faults" }, ...shown.faults.map((fault) => el("li", {}, fault))),
  ];
}

function blocks(shown) {
  if (!shown) return [];
  const changes = shown.changes?.[currentLanguage()];
  if (!changes) return [el("p", {}, word("changes.unknown"))];
  if (!changes.length) return [el("p", {}, word("changes.none"))];
  return changes.map(block);
}

function block({ kind, heading, rows }) {
  return el("div", { class: `block ${kind}` }, el("h3", {}, heading), ...rows.map(row));
}

function row({ part, before, after }) {
  const sides = [];
  for (const [name, lines] of [["before", before], ["after", after]]) {
    const items = lines.map(([text, differs]) =>
      el("li", { class: differs ? "differs" : null }, ...line(text, differs, name)),
    );
    const shown = items.length ? el("ul", {}, ...items) : el("p", { class: "missing" }, "–");
    sides.push(side(name, shown));
  }
  return el("div", { class: "row" }, el("h4", {}, part), pair(...sides));
}
