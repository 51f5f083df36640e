// Counts as the server tells them: a number, "few" (1 to 4), or "kept" (kept back).

import { el } from "./dom.js";
import { number, word } from "./words.js";

/** Whether it is a number that can be drawn and reckoned with. */
export const isShown = (count) => typeof count === "number";

/** Return a count as an element: what is seen, and what is heard where the two differ. */
export function count(value) {
  if (isShown(value)) return el("span", { class: "n" }, number(value));
  const seen = value === "few" ? "< 5" : "< 5 *";
  return el(
    "span",
    { class: `n ${value}`, title: word(value) },
    el("span", { "aria-hidden": "true" }, seen),
    el("span", { class: "heard" }, word(value)),
  );
}

/** Return a count as plain text, for labels. */
export const inWords = (value) => (isShown(value) ? number(value) : word(value));
