// Elements without markup in strings: nothing that came over the wire is ever parsed as HTML.

const SVG = "http://www.w3.org/2000/svg";

/** Return an HTML element; children are elements or text. */
export function el(name, attributes = {}, ...children) {
  return dress(document.createElement(name), attributes, children);
}

/** Return an SVG element. */
export function svg(name, attributes = {}, ...children) {
  return dress(document.createElementNS(SVG, name), attributes, children);
}

/** Put these in the place of what an element holds. */
export function fill(id, ...children) {
  document.getElementById(id).replaceChildren(...children);
}

/** Set an element's text, touching nothing where it is the same: a screen reader would speak. */
export function say(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

function dress(element, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (value !== null && value !== undefined) element.setAttribute(name, value);
  }
  element.append(...children);
  return element;
}

/** Return a table: a caption for those who hear it, column heads, and rows led by their head. */
export function table(caption, heads, rows, foot = null) {
  const head = el("tr", {}, ...heads.map((text) => el("th", { scope: "col" }, text)));
  const parts = [
    el("caption", { class: "heard" }, caption),
    el("thead", {}, head),
    el("tbody", {}, ...rows.map(line)),
  ];
  if (foot) parts.push(el("tfoot", {}, line(foot)));
  return el("table", {}, ...parts);
}

function line([first, ...rest]) {
  return el("tr", {}, el("th", { scope: "row" }, first), ...rest.map((cell) => el("td", {}, cell)));
}
