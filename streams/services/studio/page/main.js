// The page of the studio: pick a draft, see what it changes, try it, read the result.

import { showDraft } from "./changes.js";
import { el, replaceContent, setText } from "./dom.js";
import { showResult } from "./result.js";
import { Refused, get, getFile, post, takeToken } from "./server.js";
import { currentLanguage, setLanguage, setWords, share, word } from "./words.js";

const RETRY = 2000;
const ENDED = ["cancelled", "failed", "done"];
const [language, picked, start, cancel, progress, download] = [
  "language", "draft", "start", "cancel", "progress", "download",
].map((id) => document.getElementById(id));

let drafts = [];
let shown = null;
let run = null;
let result = null;
let notice = null;

setWords(await (await fetch("/page/words.json")).json(), document.documentElement.lang);
language.value = currentLanguage();
language.addEventListener("change", () => {
  setLanguage(language.value);
  history.replaceState(null, "", `?lang=${currentLanguage()}`);
  show();
});
picked.addEventListener("change", () => said(look));
document.getElementById("reload").addEventListener("click", () => said(list));
start.addEventListener("click", () =>
  said(async () => {
    await post("/run", { draft: shown.name, digest: shown.digest });
  }),
);
cancel.addEventListener("click", () => said(() => post("/cancel")));
download.addEventListener("click", () => said(save));

if (takeToken()) {
  await said(list);
  follow();
} else {
  tell(() => word("notice.address"));
}

/** List the drafts; keep the one that is picked, if it is still there. */
async function list() {
  const before = picked.value || run?.draft;
  drafts = await get("/drafts");
  picked.replaceChildren(...drafts.map(({ name }) => el("option", { value: name }, name)));
  if (drafts.some(({ name }) => name === before)) picked.value = before;
  await look();
}

/** Read the draft that is picked, and what it changes. */
async function look() {
  const name = picked.value;
  const found = name ? await get(`/changes?draft=${encodeURIComponent(name)}`) : null;
  if (name !== picked.value) return; // another one was picked meanwhile
  shown = found;
  if (!name) tell(() => word("drafts.none"));
  show();
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
  const name = run.draft.replace(/\.toml$/, "");
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
    tell(() => (error.status === 401 ? word("notice.address") : word("notice.refused", { reason: error.message })));
  } else {
    tell(() => word("notice.lost"), true);
  }
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
  showDraft(shown);
  const running = Boolean(run) && !ENDED.includes(run.step);
  start.hidden = running;
  start.disabled = !shown?.version;
  cancel.hidden = !running;
  progress.hidden = !running;
  if (run?.of) progress.value = run.done / run.of;
  else progress.removeAttribute("value");
  setText(document.getElementById("share"), running && run.of ? share(run.done / run.of) : "");
  setText(document.getElementById("status"), status());
  showResult(result, run?.draft);
}

function status() {
  if (!run) return "";
  return word(`run.${run.step}`, { draft: run.draft, error: run.error });
}
