// Golden signals, and the verdict: is the system healthy, is any case overdue, what needs action?

import { count, inWords, isShown } from "./count.js";
import { el, replaceContent, setText } from "./dom.js";
import { sparkline } from "./sparkline.js";
import { age, rate, currentLanguage, word } from "./words.js";

const SLOT_SECONDS = 5;
const MARKS = { well: "●", watch: "▲", act: "■", unknown: "?" };
const cards = new Map();

/** Show each signal. Its card is created once, so that a screen reader keeps its position. */
export function showSignals(signals) {
  for (const signal of signals) {
    if (!cards.has(signal.name)) cards.set(signal.name, card(signal.name));
    update(cards.get(signal.name), signal);
  }
}

/** Return the signals that need action, most urgent first. */
export function needingAction(signals) {
  const rank = { act: 0, unknown: 1, watch: 2 };
  return signals
    .filter((signal) => signal.state in rank)
    .sort((a, b) => rank[a.state] - rank[b.state]);
}

/** Show the verdict; it is unknown without current signals and a current count of all cases. */
export function showVerdict(signals) {
  const found = signals && needingAction(signals);
  const state = !found ? "unknown" : (found[0]?.state ?? "well");
  const band = document.getElementById("verdict");
  band.dataset.state = state;
  setText(document.getElementById("verdict-text"), word(`verdict.${state}`));
  const key = `${currentLanguage()} ${(found ?? []).map((one) => one.name + advice(one)).join()}`;
  if (band.dataset.key === key) return;
  band.dataset.key = key;
  replaceContent("verdict-list", ...(found ?? []).map((signal) => {
    const more = signal.runbook ? [el("a", { href: `/runbooks/${signal.runbook}` }, word("runbook"))] : [];
    return el("li", { "data-state": signal.state }, `${advice(signal)}. `, ...more);
  }));
}

function advice(signal) {
  const text = word(`advice.${signal.advice ?? signal.name}`, {
    age: age(signal.oldest ?? signal.value ?? 0),
    alert: signal.runbook,
  });
  const about = signal.producer ? word("advice.producer", { producer: signal.producer }) : signal.about;
  return about ? `${text} (${about})` : text;
}

function card(name) {
  const parts = {
    label: el("h3"),
    value: el("p", { class: "value" }),
    note: el("p", { class: "note" }),
    state: el("p", { class: "state" }),
    chart: el("div", { class: "chart" }),
  };
  const whole = el("article", { class: "signal", "data-signal": name }, ...Object.values(parts));
  document.getElementById("signals").append(whole);
  return { whole, ...parts };
}

function update(parts, signal) {
  const label = word(`signal.${signal.name}`);
  setText(parts.label, label);
  parts.whole.dataset.state = signal.state;
  const [value, note] = valueAndNote(signal);
  if (parts.value.dataset.key !== value.textContent) {
    parts.value.dataset.key = value.textContent;
    parts.value.replaceChildren(value);
  }
  setText(parts.note, note);
  const mark = MARKS[signal.state];
  setText(parts.state, mark ? `${mark} ${word(`state.${signal.state}`)}` : "");
  parts.chart.replaceChildren(sparkline(signal.series, describeSeries(signal, label)));
}

function valueAndNote(signal) {
  const { name, value, oldest } = signal;
  if (name === "committed") {
    const perSecond = isShown(value) ? rate(value / SLOT_SECONDS) : "< 1";
    return [el("span", { class: "n" }, perSecond), word("signal.per_second")];
  }
  if (name === "silent" || name === "canary") {
    if (value !== null) return [el("span", { class: "n" }, age(value)), ""];
    return [el("span", { class: "n" }, "–"), word(name === "canary" ? "signal.no_canary" : "signal.never")];
  }
  return [count(value), oldest === null ? word("signal.none_waiting") : word("signal.oldest", { age: age(oldest) })];
}

function describeSeries(signal, label) {
  const shown = signal.series.filter(isShown);
  const inText = (value) =>
    value === undefined || value === null ? "–"
    : !isShown(value) ? inWords(value)
    : signal.name === "committed" ? rate(value / SLOT_SECONDS)
    : signal.name === "silent" || signal.name === "canary" ? age(value)
    : inWords(value);
  const [low, high] = shown.length ? [Math.min(...shown), Math.max(...shown)] : [];
  return word("signal.spark", { label, low: inText(low), high: inText(high), now: inText(signal.series.at(-1)) });
}
