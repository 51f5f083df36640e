// Receive the state from the stream, show it, and mark it as outdated when updates stop.

import { setText } from "./dom.js";
import { showDue, showEscalations, showFunnel, showLetters } from "./figures.js";
import { offerLanguages } from "./language.js";
import { showOffices, showWork } from "./offices.js";
import { needingAction, showSignals, showVerdict } from "./signals.js";
import { follow } from "./stream.js";
import { showWorkers } from "./workers.js";
import { age, time, word } from "./words.js";

const OLD_SECONDS = { live: 10, book: 120 };
const facts = await (await fetch("/page/facts.json")).json();
const timeout = Math.max(8000, 4000 * facts.every);

let state = null;
let received = 0;
let broken = false;
let shown = {};

offerLanguages(facts.words, () => {
  shown = {};
  show();
});

follow(
  (next) => {
    [state, received, broken] = [next, performance.now(), false];
    show();
  },
  () => {
    broken = true;
    showAges();
  },
  timeout,
);
setInterval(showAges, 1000);

function show() {
  if (!state) return showAges();
  const { live, book } = state;
  if (live) {
    showSignals(live.signals);
    renderIfChanged("workers", [live.relay, live.workers, live.alerts], () => showWorkers(live));
    renderIfChanged("letters", live.letters, () => showLetters(live));
  }
  if (book) {
    renderIfChanged("book", book.as_of, () => {
      showOffices(book, facts);
      showWork(book, facts);
      showFunnel(book);
      showEscalations(book, facts);
      showDue(book);
    });
  }
  showAges();
}

/** Return all that the verdict rests on; an alert that repeats a signal is left out. */
function judged({ live, book }) {
  const own = [...live.signals, live.relay, book.attention];
  const said = new Set(needingAction(own).map(({ runbook }) => runbook));
  return [...own, ...(live.alerts ?? []).filter(({ runbook }) => !said.has(runbook))];
}

/** Render a section only if its data changed, so that focus and reading position are kept. */
function renderIfChanged(name, data, render) {
  const key = JSON.stringify(data);
  if (shown[name] === key) return;
  shown[name] = key;
  render();
}

/** Show the age of each section, and grey out sections that are too old to act on. */
function showAges() {
  const elapsed = (performance.now() - received) / 1000;
  const down = broken || !state || state.away || !state.live;
  const old = {};
  for (const part of ["live", "book"]) {
    const section = state?.[part];
    const seconds = section ? section.age + elapsed : Infinity;
    old[part] = down || seconds > OLD_SECONDS[part];
    for (const line of document.querySelectorAll(`[data-as-of="${part}"]`)) {
      if (!section) setText(line, "");
      else if (old[part]) setText(line, word("as_of_old", { time: time(section.as_of), age: age(seconds) }));
      else setText(line, word("as_of", { time: time(section.as_of) }));
    }
    for (const element of document.querySelectorAll(`[data-part="${part}"]`)) {
      element.dataset.old = old[part];
    }
  }
  const link = broken ? "broken" : !state ? "connecting" : state.away ? "away" : !state.live ? "empty" : "live";
  document.body.dataset.link = link;
  document.getElementById("link").dataset.state = link;
  setText(document.getElementById("link-text"), word(`link.${link}`));
  setText(document.getElementById("mode"), word(state?.ops ? "mode.ops" : "mode.public"));
  showVerdict(old.live || old.book ? null : judged(state));
}
