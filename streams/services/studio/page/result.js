// Show a result: the answer, the figures, and the cases with both explanations.

import { el, replaceContent } from "./dom.js";
import { plot } from "./plot.js";
import { lists, pair, side } from "./sides.js";
import { currentLanguage, word } from "./words.js";

/** Show the result of a run, or nothing. `asked` says in words what was tried. */
export function showResult(result, asked) {
  const section = document.getElementById("result");
  section.hidden = !result;
  if (!result) return;
  const { versions, answer, total, warning, tables, months, examples, limits } = result[currentLanguage()];
  document.getElementById("of").textContent = [...asked, ...versions].join(" · ");
  const said = [el("p", {}, el("strong", {}, answer))];
  if (total) said.push(el("p", {}, total));
  if (warning) said.push(el("p", { class: "fault" }, warning));
  replaceContent("answer", ...said);
  replaceContent("tables", ...tables.map((table, index) => folded(table.title, figures(table), index)));
  replaceContent("months", ...(months ? [...plot(months), folded(months.figures, figures(months.table))] : []));
  replaceContent("examples", ...examples.map(example));
  replaceContent("limits", ...limits.map((limit) => el("li", {}, limit)));
}

/** Return a table; on a phone each row is a card, so its roles are stated. */
function figures({ title, columns, rows, total }) {
  const head = columns.map((text) => el("th", { scope: "col", role: "columnheader" }, text));
  return el(
    "table",
    { class: "cards", role: "table" },
    el("caption", {}, title),
    el("thead", { role: "rowgroup" }, el("tr", { role: "row" }, ...head)),
    el("tbody", { role: "rowgroup" }, ...rows.map((row) => line(row, columns))),
    el("tfoot", { role: "rowgroup" }, line(total, columns)),
  );
}

/** Return a table that is opened on demand; the first one is open for good. */
function folded(title, table, index) {
  return index === 0 ? table : el("details", {}, el("summary", {}, title), table);
}

function line({ name, code, cells }, columns) {
  const figure = (text, nth) =>
    el("td", { role: "cell", "data-head": columns[nth + 1], class: text === "0" ? "none" : null }, text);
  const parts = code ? [name, " ", el("code", {}, code)] : [name];
  return el(
    "tr",
    { role: "row" },
    el("th", { scope: "row", role: "rowheader" }, ...parts),
    ...cells.map(figure),
  );
}

function example({ case: title, at, differences, pairs, equal }, index) {
  const both = pairs.map(({ before, after }) =>
    pair(explained("before", before), explained("after", after)),
  );
  if (!both.length) both.push(el("p", {}, word("result.equal")));
  if (equal.length) {
    const headings = equal.map(({ heading }) => heading).join(", ");
    both.push(
      el(
        "details",
        {},
        el("summary", {}, word("result.equal_parts", { headings })),
        ...equal.flatMap(({ heading, lines }) => [el("h5", {}, heading), lists(lines, null)]),
      ),
    );
  }
  const shown = el(
    "details",
    { "data-example": index },
    el("summary", {}, word("result.both")),
    ...both,
  );
  return el(
    "article",
    { "aria-labelledby": `case-${index}` },
    el("h4", { id: `case-${index}` }, `${index + 1}. ${title}`),
    el("p", { class: "note" }, at),
    el("ul", { class: "differences" }, ...differences.map((text) => el("li", {}, text))),
    shown,
  );
}

function explained(name, found) {
  if (!found) return side(name, el("p", { class: "missing" }, word("side.missing")));
  return side(name, el("h5", {}, found.heading), lists(found.lines, name));
}
