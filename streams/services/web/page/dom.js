// Build elements without HTML strings: received data is never parsed as HTML.

const SVG = "http://www.w3.org/2000/svg";

/** Return an HTML element; children are elements or text. */
export function el(name, attributes = {}, ...children) {
  return setUp(document.createElement(name), attributes, children);
}

/** Return an SVG element. */
export function svg(name, attributes = {}, ...children) {
  return setUp(document.createElementNS(SVG, name), attributes, children);
}

/** Replace the children of an element. */
export function replaceContent(id, ...children) {
  document.getElementById(id).replaceChildren(...children);
}

/** Set an element's text only if it differs: a screen reader announces every assignment. */
export function setText(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

function setUp(element, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (value !== null && value !== undefined) element.setAttribute(name, value);
  }
  element.append(...children);
  return element;
}

/** Return a table with a caption for screen readers, column heads and row heads. */
export function table(caption, heads, rows, foot = null) {
  const head = el("tr", {}, ...heads.map((text) => el("th", { scope: "col" }, text)));
  const parts = [
    el("caption", { class: "visually-hidden" }, caption),
    el("thead", {}, head),
    el("tbody", {}, ...rows.map(line)),
  ];
  if (foot) parts.push(el("tfoot", {}, line(foot)));
  return el("table", {}, ...parts);
}

function line([first, ...rest]) {
  return el("tr", {}, el("th", { scope: "row" }, first), ...rest.map((cell) => el("td", {}, cell)));
}
