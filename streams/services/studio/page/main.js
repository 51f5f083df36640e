// The page of the studio: pick drafts, see what they change, try them, read the result.

import { KINDS, asked, offerDrafts, showAsked, watchAsked } from "./asked.js";
import { showDrafts } from "./changes.js";
import { el, setText } from "./dom.js";
import { offerLanguages } from "./language.js";
import { showResult } from "./result.js";
import { Refused, get, getFile, post, takeToken } from "./server.js";
import { currentLanguage, hasWord, listed, moment, share, word } from "./words.js";

const RETRY = 2000;
const ENDED = ["cancelled", "failed", "done"];
const [start, cancel, progress, download] = ["start", "cancel", "progress", "download"].map((id) =>
  document.getElementById(id),
);

let shown = null;
let looks = 0;
let looking = Promise.resolve();
let run = null;
let result = null;
let notice = null;

offerLanguages(await (await fetch("/page/words.json")).json(), show);
watchAsked(() => {
  looking = said(look);
});
document.getElementById("reload").addEventListener("click", () => {
  looking = said(list);
});
start.addEventListener("click", async () => {
  await looking; // an input that was left for the button is read first
  if (mayStart()) await said(() => post("/run", { ...asked(), ...seen() }));
});
cancel.addEventListener("click", () => said(() => post("/cancel")));
download.addEventListener("click", () => said(save));

if (takeToken()) {
  await said(list);
  follow();
} else {
  tell(() => word("notice.address"));
}

/** List the drafts, then look at those that are picked. */
async function list() {
  const some = offerDrafts(await get("/drafts"));
  await look();
  if (!some) tell(() => word("drafts.none"));
}

/** Read the drafts that are picked, what they change, and the instant that was typed. */
async function look() {
  looks += 1;
  const turn = looks;
  const { policy, directory, since, as_dated } = asked();
  const query = new URLSearchParams({ policy, directory, since, ...(as_dated && { "as-dated": "" }) });
  let found = null;
  try {
    found = await get(`/changes?${query}`);
  } finally {
    if (turn === looks) { // else something else was asked meanwhile
      shown = found;
      show();
    }
  }
}

/** Return what was looked at: the studio tries nothing else. */
function seen() {
  const drafts = KINDS.map((kind) => [kind, shown[kind] && { name: shown[kind].name, digest: shown[kind].digest }]);
  return { ...Object.fromEntries(drafts), base: shown.base.digests };
}

function mayStart() {
  const drafts = KINDS.map((kind) => shown?.[kind]).filter(Boolean);
  return drafts.length > 0 && drafts.every(({ version }) => version) && shown.since !== false;
}

/** Follow the run until the page is closed. */
async function follow() {
  let version = 0;
  for (;;) {
    try {
      const state = await get(`/state?after=${version}`);
      if (notice?.lost) tell(null);
      if (!state) continue;
      version = state.version;
      await take(state.run);
    } catch (error) {
      version = 0;
      lost(error);
      if (error.status === 401) return;
      await new Promise((resolve) => setTimeout(resolve, RETRY));
    }
  }
}

/** Take a new state of the run; fetch its result once it is done. */
async function take(next) {
  const begun = next && next.key !== run?.key;
  const ended = next && ENDED.includes(next.step) && (begun || !ENDED.includes(run.step));
  const focused = document.activeElement;
  run = next;
  if (begun || !next) result = null;
  if (ended && next.step === "done") result = await get(`/result/${next.key}`);
  show();
  if (begun && focused === start && !cancel.hidden) cancel.focus();
  if (ended && focused === cancel) {
    (result ? document.getElementById("result-title") : start).focus();
  }
}

/** Save the report in the language of the page. */
async function save() {
  const file = await getFile(`/report/${run.key}?lang=${currentLanguage()}`);
  const address = URL.createObjectURL(file);
  const name = run.drafts.map((draft) => draft.replace(/\.toml$/, "")).join("-");
  el("a", { href: address, download: `whatif-${name}-${currentLanguage()}.html` }).click();
  setTimeout(() => URL.revokeObjectURL(address), 60_000);
}

/** Do something; show why, if the studio refuses. */
async function said(work) {
  try {
    tell(null);
    await work();
  } catch (error) {
    lost(error);
  }
}

function lost(error) {
  if (error instanceof Refused) {
    tell(() => (error.status === 401 ? word("notice.address") : word("notice.refused", { reason: reason(error) })));
  } else {
    tell(() => word("notice.lost"), true);
  }
}

function reason({ why, message }) {
  return why && hasWord(`refused.${why}`) ? word(`refused.${why}`) : message;
}

/** Show a notice, in whatever language the page has then; null hides it. */
function tell(text, isLost = false) {
  notice = text && { text, lost: isLost };
  showNotice();
}

function showNotice() {
  const place = document.getElementById("notice");
  place.hidden = !notice;
  setText(place, notice ? notice.text() : "");
}

function show() {
  showNotice();
  showDrafts(shown);
  showAsked(shown);
  const running = Boolean(run) && !ENDED.includes(run.step);
  start.hidden = running;
  start.disabled = !mayStart();
  cancel.hidden = !running;
  progress.hidden = !running;
  if (run?.of) progress.value = run.done / run.of;
  else progress.removeAttribute("value");
  setText(document.getElementById("share"), running && run.of ? share(run.done / run.of) : "");
  setText(document.getElementById("status"), status());
  showResult(result, run ? tried() : []);
}

function status() {
  if (!run) return "";
  return word(`run.${run.step}`, { draft: listed(run.drafts), error: run.error });
}

/** Return in words what the run tried. */
function tried() {
  const parts = [listed(run.drafts)];
  if (run.as_dated) parts.push(word("tried.dated"));
  if (run.since) parts.push(word("tried.since", { moment: moment(run.since) }));
  return parts;
}
