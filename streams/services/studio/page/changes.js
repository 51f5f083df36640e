// Show what the drafts change: rule by rule and term by term, office by office.

import { KINDS } from "./asked.js";
import { el, replaceContent } from "./dom.js";
import { line, pair, side } from "./sides.js";
import { currentLanguage, date, number, word } from "./words.js";

/** Show the drafts that are picked: their versions, their faults and what they change. */
export function showDrafts(shown) {
  const drafts = KINDS.filter((kind) => shown?.[kind]).map((kind) => ({ kind, ...shown[kind] }));
  replaceContent("facts", ...drafts.filter(({ version }) => version).map(facts));
  replaceContent("faults", ...drafts.filter(({ faults }) => faults.length).flatMap(faults));
  const day = shown ? date(shown.base.day) : "";
  document.getElementById("base").textContent = drafts.length ? word("changes.base", { day }) : "";
  const none = shown && !drafts.length ? [el("p", {}, word("changes.pick"))] : [];
  replaceContent("changes", ...none, ...drafts.flatMap((draft) => table(draft, shown.base)));
}

function facts({ kind, version, valid_from, entries }) {
  const places = { version, entries: number(entries), day: valid_from ? date(valid_from) : "" };
  const name = valid_from ? kind : `${kind}_undated`;
  return el("li", {}, word(`facts.${name}`, places));
}

function faults({ name, faults }) {
  return [
    el("p", { class: "fault" }, word("drafts.faults", { draft: name })),
    el("ul", { class: "faults" }, ...faults.map((fault) => el("li", {}, fault))),
  ];
}

function table({ kind, changes }, base) {
  const heading = el("h3", {}, word(`compared.${kind}`, { version: base[kind] }));
  const blocks = changes?.[currentLanguage()];
  if (!blocks) return [heading, el("p", {}, word("changes.unknown"))];
  if (!blocks.length) return [heading, el("p", {}, word("changes.none"))];
  return [heading, ...blocks.map(block)];
}

function block({ kind, heading, rows }) {
  return el("div", { class: `block ${kind}` }, el("h4", {}, heading), ...rows.map(row));
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
  return el("div", { class: "row" }, el("h5", {}, part), pair(...sides));
}
