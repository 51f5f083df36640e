// Show two sides next to each other: the policy in force and the draft.

import { el } from "./dom.js";
import { word } from "./words.js";

/** Return one side under its name. */
export function side(name, ...content) {
  return el(
    "div",
    { class: `side ${name}` },
    el("p", { class: "which" }, word(`side.${name}`)),
    ...content,
  );
}

/** Return both sides. On a narrow page the draft is below. */
export const pair = (before, after) => el("div", { class: "pair" }, before, after);

/** Return a line; one that the other side lacks is marked by a sign and in words. */
export function line(text, differs, name) {
  if (!differs) return [text];
  return [
    el(
      "span",
      { class: "line" },
      el("span", { class: "sign", "aria-hidden": "true" }, name === "before" ? "−" : "+"),
      el("span", { class: "visually-hidden" }, `${word(`only.${name}`)}: `),
      text,
    ),
  ];
}

/** Return lines as lists within lists, by their depth. */
export function lists(lines, name) {
  const root = el("ul");
  const open = [{ depth: lines.length ? lines[0][0] : 0, list: root }];
  for (const [depth, text, differs] of lines) {
    while (open.length > 1 && open.at(-1).depth > depth) open.pop();
    if (depth > open.at(-1).depth) {
      const list = el("ul");
      open.at(-1).list.lastElementChild.append(list);
      open.push({ depth, list });
    }
    const marked = differs && name !== null;
    const item = el("li", { class: marked ? "differs" : null }, ...line(text, marked, name));
    open.at(-1).list.append(item);
  }
  return root;
}
