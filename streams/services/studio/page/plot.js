// Draw the proposals by month. The shapes are those of the report; the table says the same.

import { el, svg } from "./dom.js";

/** Return the plot under its title, with the key of its lines. */
export function plot({ title, described, keys, height, shapes }) {
  return [
    el("h3", {}, title),
    el("ul", { class: "keys" }, ...keys.map(([series, label]) => el("li", {}, key(series), label))),
    svg(
      "svg",
      {
        class: "plot", width: "100%", height, role: "img",
        "aria-labelledby": "months-title", "aria-describedby": "months-desc",
      },
      svg("title", { id: "months-title" }, title),
      svg("desc", { id: "months-desc" }, described),
      ...shapes.map(({ name, attributes, text }) => svg(name, attributes, text)),
    ),
  ];
}

function key(series) {
  return svg(
    "svg",
    { class: "plot", width: 34, height: 12, "aria-hidden": "true" },
    svg("line", { class: series, x1: 0, x2: 34, y1: 6, y2: 6 }),
    svg("circle", { class: series, cx: 17, cy: 6, r: 3.5 }),
  );
}
