// What a person asks to try: the drafts, since when, and whether they keep their first day.

import { el, setText } from "./dom.js";
import { date, moment, word } from "./words.js";

const KEY = "icam-studio-asked";
const PAUSE = 400;
export const KINDS = ["policy", "directory"];

const [since, sinceSaid, dated, datedSaid, note] = [
  "since", "since-said", "as-dated", "dated-said", "run-note",
].map((id) => document.getElementById(id));
const picks = Object.fromEntries(KINDS.map((kind) => [kind, document.getElementById(kind)]));

/** Return what is asked, as the inputs have it. */
export const asked = () => ({
  policy: picks.policy.value,
  directory: picks.directory.value,
  since: since.value.trim(),
  as_dated: dated.checked,
});

/** Call `look` whenever something else is asked; it is kept for this tab. */
export function watchAsked(look) {
  const changed = () => {
    sessionStorage.setItem(KEY, JSON.stringify(asked()));
    look();
  };
  for (const input of [...Object.values(picks), since, dated]) input.addEventListener("change", changed);
  let timer = null;
  since.addEventListener("input", () => {
    clearTimeout(timer);
    // Who still types is not interrupted; who mends a slip sees at once that it is mended.
    if (since.hasAttribute("aria-invalid")) timer = setTimeout(changed, PAUSE);
  });
}

/** Offer the drafts of the folder, and return whether there are any. What was picked is kept. */
export function offerDrafts(drafts) {
  const isFirst = !picks.policy.options.length;
  const hadSome = KINDS.some((kind) => picks[kind].options.length > 1);
  let kept = hadSome ? asked() : null;
  if (isFirst) kept = JSON.parse(sessionStorage.getItem(KEY));
  for (const kind of KINDS) {
    const none = el("option", { value: "", "data-word": "drafts.in_force" }, word("drafts.in_force"));
    picks[kind].replaceChildren(none, ...drafts[kind].map((name) => el("option", { value: name }, name)));
    picks[kind].value = drafts[kind].includes(kept?.[kind]) ? kept[kind] : "";
  }
  if (isFirst && kept) {
    since.value = kept.since;
    dated.checked = kept.as_dated;
  }
  if (!kept) {
    const kind = KINDS.find((one) => drafts[one].length);
    if (kind) picks[kind].value = drafts[kind][0];
  }
  return KINDS.some((kind) => drafts[kind].length);
}

/** Show what the inputs mean beside what is in force. */
export function showAsked(shown) {
  const isWrong = shown?.since === false;
  const until = shown?.base.until;
  if (isWrong) since.setAttribute("aria-invalid", "true");
  else since.removeAttribute("aria-invalid");
  if (isWrong) say(sinceSaid, word("since.wrong"), true);
  else if (!shown?.since) say(sinceSaid, "");
  else if (Date.parse(shown.since) > Date.parse(until)) {
    say(sinceSaid, word("since.late", { moment: moment(until) }), true);
  } else say(sinceSaid, word("since.read", { moment: moment(shown.since) }));

  note.dataset.word = dated.checked ? "run.note_dated" : "run.note";
  setText(note, word(note.dataset.word));
  const ahead = KINDS.map((kind) => shown?.[kind]).filter(
    (draft) => dated.checked && draft?.valid_from > shown.base.day,
  );
  const day = shown ? date(shown.base.day) : "";
  say(datedSaid, ahead.map(({ name }) => word("dated.ahead", { draft: name, day })).join(" "), true);
}

function say(place, text, warns = false) {
  place.className = text && warns ? "fault" : "note";
  setText(place, text);
}
