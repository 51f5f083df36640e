// Takes the state from the stream, shows it, and never lets it look younger than it is.

import { say } from "./dom.js";
import { showDue, showEscalations, showFunnel, showLetters } from "./figures.js";
import { showOffices } from "./offices.js";
import { showSignals, showVerdict } from "./signals.js";
import { follow } from "./stream.js";
import { age, learn, speak, spoken, time, word } from "./words.js";

const OLD_SECONDS = { live: 10, book: 120 };
const select = document.getElementById("language");
const facts = await (await fetch("/page/facts.json")).json();
const patience = Math.max(8000, 4000 * facts.every);

let state = null;
let received = 0;
let broken = false;
let shown = {};

learn(facts.words, document.documentElement.lang);
select.value = spoken();
select.addEventListener("change", () => {
  speak(select.value);
  history.replaceState(null, "", `?lang=${spoken()}`);
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
    judge();
  },
  patience,
);
setInterval(judge, 1000);

function show() {
  if (!state) return judge();
  const { live, book } = state;
  if (live) {
    showSignals(live.signals);
    once("letters", live.letters, () => showLetters(live));
  }
  if (book) {
    once("book", book.as_of, () => {
      showOffices(book, facts);
      showFunnel(book);
      showEscalations(book, facts);
      showDue(book);
    });
  }
  judge();
}

/** Show a part again only when what it shows has changed: who reads it stays where they are. */
function once(name, what, render) {
  const key = JSON.stringify(what);
  if (shown[name] === key) return;
  shown[name] = key;
  render();
}

/** Say how old everything is, and grey out what is too old to act on. */
function judge() {
  const elapsed = (performance.now() - received) / 1000;
  const down = broken || !state || state.away || !state.live;
  const old = {};
  for (const part of ["live", "book"]) {
    const told = state?.[part];
    const seconds = told ? told.age + elapsed : Infinity;
    old[part] = down || seconds > OLD_SECONDS[part];
    for (const line of document.querySelectorAll(`[data-as-of="${part}"]`)) {
      if (!told) say(line, "");
      else if (old[part]) say(line, word("as_of_old", { time: time(told.as_of), age: age(seconds) }));
      else say(line, word("as_of", { time: time(told.as_of) }));
    }
    for (const section of document.querySelectorAll(`[data-part="${part}"]`)) {
      section.dataset.old = old[part];
    }
  }
  const link = broken ? "broken" : !state ? "connecting" : state.away ? "away" : !state.live ? "empty" : "live";
  document.body.dataset.link = link;
  document.getElementById("link").dataset.state = link;
  say(document.getElementById("link-text"), word(`link.${link}`));
  say(document.getElementById("mode"), word(state?.ops ? "mode.ops" : "mode.public"));
  showVerdict(old.live ? null : state.live.signals);
}
