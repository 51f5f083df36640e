// Counts as the server sends them: a number, or "few" for a small one above 0.

import { el } from "./dom.js";
import { number, word } from "./words.js";

/** Return whether a count is a number, so that it can be drawn and calculated with. */
export const isShown = (count) => typeof count === "number";

/** Return a count as an element; screen readers get words instead of symbols. */
export function count(value) {
  if (isShown(value)) return el("span", { class: "n" }, number(value));
  return el(
    "span",
    { class: `n ${value}`, title: word(value) },
    el("span", { "aria-hidden": "true" }, "< 5"),
    el("span", { class: "visually-hidden" }, word(value)),
  );
}

/** Return a count as plain text, for labels. */
export const inWords = (value) => (isShown(value) ? number(value) : word(value));
