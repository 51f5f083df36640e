// Business figures: funnel, escalations by level and their trend, deadlines, dead letters.

import { count, inWords, isShown } from "./count.js";
import { el, replaceContent, svg, table } from "./dom.js";
import { bars } from "./sparkline.js";
import { day, hour, hasWord, share, word } from "./words.js";

const STEPS = ["orders", "appointments", "interviews", "outcomes"];
const CONCLUSIONS = ["residence_prospect", "voluntary_return_accepted", "voluntary_return_refused"];

/** Show the number of cases that reached each step. */
export function showFunnel({ funnel }) {
  const whole = funnel.orders;
  const part = (value) => (isShown(value) && isShown(whole) && whole ? value / whole : null);
  const names = [
    ...STEPS.map((name) => [name, word(`funnel.${name}`), ""]),
    ...CONCLUSIONS.map((name) => [name, word(`value.${name}`), "conclusion"]),
  ];
  const steps = names.map(([name, text, kind]) => {
    const value = funnel[name];
    return el(
      "li",
      { class: kind },
      el("span", { class: "step" }, text),
      stripe(part(value), kind),
      el("span", { class: "figure" }, count(value), part(value) === null ? "" : el("small", {}, ` ${share(part(value))}`)),
    );
  });
  replaceContent("funnel", el("ol", { class: "funnel" }, ...steps));
  const heads = [word("funnel.step"), word("offices.cases"), word("funnel.share")];
  replaceContent("funnel-table", table(word("funnel.title"), heads, names.map(([name, text]) => [
    text, count(funnel[name]), part(funnel[name]) === null ? "–" : share(part(funnel[name])),
  ])));
}

function stripe(value, kind) {
  const fitted = value === null ? { class: "kept", fill: "url(#hatch-kept)", width: 12 } : { class: kind || "level", width: value * 100 };
  return svg(
    "svg",
    { class: "stripe", viewBox: "0 0 100 10", preserveAspectRatio: "none", "aria-hidden": "true" },
    svg("rect", { class: "rail", width: 100, height: 10 }),
    svg("rect", { ...fitted, height: 10 }),
  );
}

/** Show standing escalations by level, and the numbers raised and withdrawn by day. */
export function showEscalations({ escalations }, facts) {
  const { open, days, raised, withdrawn, moved } = escalations;
  const top = Math.max(1, ...open.levels.map(({ cases }) => cases).filter(isShown));
  const heads = ["level", "open"].map((name) => word(`escalations.${name}`, { level: "" }).trim());
  if (moved) heads.push(word("escalations.raised"), word("escalations.withdrawn"));
  const rows = open.levels.map(({ level, cases }) => {
    const actions = (facts.levels[level] ?? []).map((action) => word(`action.${action}`)).join(" · ");
    const head = el("span", {}, el("b", {}, word("escalations.level", { level })), el("small", {}, ` ${actions}`));
    const cell = el("span", { class: "weighed" }, stripe(isShown(cases) ? cases / top : null, `level-${level}`), count(cases));
    const more = (moved ?? []).filter((one) => one.level === level).flatMap((one) => [count(one.raised), count(one.withdrawn)]);
    return [head, cell, ...more];
  });
  const foot = [word("offices.total"), count(open.total), ...(moved ? [count(raised.total), count(withdrawn.total)] : [])];
  replaceContent("escalations-table", table(word("escalations.title"), heads, rows, foot));

  const label = `${word("escalations.trend")}: ${word("escalations.raised")} ${inWords(raised.total)}, ${word("escalations.withdrawn")} ${inWords(withdrawn.total)}`;
  const ticks = [0, 6, 13].map((i) => [i, day(days[i])]);
  const series = [{ kind: "raised", cells: raised.cells }, { kind: "withdrawn", cells: withdrawn.cells }];
  const key = (kind, total) => el("span", { class: `key ${kind}` }, word(`escalations.${kind}`), " ", count(total));
  replaceContent("trend", el("p", { class: "keys" }, key("raised", raised.total), key("withdrawn", withdrawn.total)), bars(series, ticks, label));
  const names = ["day", "raised", "withdrawn"].map((name) => word(`escalations.${name}`));
  replaceContent("trend-table", table(word("escalations.trend"), names, days.map((one, i) => [
    day(one), count(raised.cells[i]), count(withdrawn.cells[i]),
  ])));
}

/** Show the cases that are due now or in the next hours. */
export function showDue({ due, as_of: asOf }) {
  const start = Math.floor(new Date(asOf).getTime() / 3600_000) * 3600_000;
  const at = (i) => hour(start + i * 3600_000);
  replaceContent("due-sum", count(due.total), " ", word("due.total"));
  const label = `${word("due.title")}: ${inWords(due.total)}`;
  replaceContent("due", bars([{ kind: "level", cells: due.cells }], [0, 6, 12, 18].map((i) => [i, at(i)]), label));
  const heads = [word("due.hour"), word("due.cases")];
  replaceContent("due-table", table(word("due.title"), heads, due.cells.map((value, i) => [`${at(i)}–${at(i + 1)}`, count(value)])));
}

/** Show the open dead letters by reason. */
export function showLetters({ letters: { total, reasons, producers } }) {
  showProducers(producers);
  if (!reasons.length) {
    replaceContent("letters-table", el("p", { class: "sum" }, total === 0 ? word("letters.none") : count(total)));
    return;
  }
  const top = Math.max(1, ...reasons.map(([, value]) => value).filter(isShown));
  const rows = reasons.map(([reason, value]) => [
    hasWord(`reason.${reason}`) ? word(`reason.${reason}`) : reason,
    el("span", { class: "weighed" }, stripe(isShown(value) ? value / top : null, "letter"), count(value)),
  ]);
  const heads = [word("letters.reason"), word("letters.open")];
  replaceContent("letters-table", table(word("letters.title"), heads, rows, [word("offices.total"), count(total)]));
}

/** Show the open dead letters by the producer that their records name. */
function showProducers(producers) {
  const rows = producers.map(([name, value]) => [
    name === "" ? word("letters.others") : name === "unknown" ? word("letters.unknown") : el("code", {}, name),
    count(value),
  ]);
  const heads = [word("letters.producer"), word("letters.open")];
  replaceContent("producers-table", ...(rows.length ? [table(word("letters.by_producer"), heads, rows)] : []));
}
