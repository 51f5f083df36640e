// Offices: load against capacity, as a schematic map and as a table. A mark accompanies every colour.

import { count, inWords, isShown } from "./count.js";
import { el, replaceContent, svg, table } from "./dom.js";
import { hasWord, share, currentLanguage, word } from "./words.js";

const BANDS = {
  low: { fill: null, mark: "○", range: "< 85 %" },
  high: { fill: "url(#hatch-high)", mark: "◐", range: "85–100 %" },
  over: { fill: "url(#hatch-over)", mark: "●", range: "> 100 %" },
  none: { fill: null, mark: "–", range: "" },
};

/** Return the used share of an office's capacity; null if cases or capacity are unknown. */
export function load({ cases, capacity }) {
  return isShown(cases) && capacity ? cases / capacity : null;
}

/** Return the band of a load. */
export function band(value) {
  if (value === null) return "none";
  return value < 0.85 ? "low" : value <= 1 ? "high" : "over";
}

/** Show map, legend and table. */
export function showOffices(book, facts) {
  const offices = new Map(book.offices.map((office) => [office.id, office]));
  replaceContent("map", drawing(offices, facts));
  replaceContent("legend", ...["low", "high", "over", "none"].map(explained));
  replaceContent("offices-table", listing(book, facts));
}

/** Show how many proposals of each office are late or fall due. */
export function showWork({ work }, facts) {
  const when = ["late", "today", "week", "later"];
  const heads = [word("offices.office"), ...when.map((name) => word(`work.${name}`))];
  const rows = work.map((office) => [named(office.id, facts), ...when.map((name) => count(office[name]))]);
  replaceContent("work-table", table(word("work.title"), heads, rows));
}

/** Return an office's name, or its id if the directory does not contain it. */
export function named(id, facts) {
  return facts.offices[id]?.[currentLanguage()] ?? id;
}

function drawing(offices, facts) {
  const { width, height, province, office } = facts.map;
  const summary = office
    .filter(({ id }) => offices.has(id))
    .map(({ id }) => `${named(id, facts)} ${loadInWords(offices.get(id))}`)
    .join(", ");
  const map = svg("svg", {
    class: "map",
    viewBox: `0 0 ${width} ${height}`,
    role: "img",
    "aria-label": word("offices.map", { text: summary }),
  });
  for (const { id, name, points } of province) {
    const cover = facts.coverage[id];
    const followed = cover && offices.get(cover.office);
    const kind = followed ? band(load(followed)) : "none";
    const title = cover
      ? word("offices.covers", { province: name[currentLanguage()], office: named(cover.office, facts) })
      : name[currentLanguage()];
    const shape = { class: `province ${kind}`, points: points.join(" "), fill: BANDS[kind].fill };
    map.append(svg("polygon", shape, svg("title", {}, title)));
  }
  for (const { id, at: [x, y] } of office) {
    if (offices.has(id)) map.append(marker(offices.get(id), named(id, facts), x, y));
  }
  return map;
}

function marker(office, name, x, y) {
  const value = load(office);
  const wide = Math.max(62, name.length * 8.6 + 14);
  return svg(
    "g",
    { class: `office ${band(value)}`, transform: `translate(${x} ${y})` },
    svg("rect", { class: "plate", x: -wide / 2, y: -21, width: wide, height: 42, rx: 4 }),
    svg("text", { class: "place", y: -5, "text-anchor": "middle" }, name),
    svg("text", { class: "load", y: 14, "text-anchor": "middle" }, ...figures(value)),
  );
}

function figures(value) {
  if (value === null) return ["–"];
  return [svg("tspan", { class: "mark" }, BANDS[band(value)].mark), ` ${share(value)}`];
}

function explained(kind) {
  const { fill: pattern, mark, range } = BANDS[kind];
  const swatch = svg(
    "svg",
    { class: "swatch", viewBox: "0 0 24 16", "aria-hidden": "true" },
    svg("rect", { class: `province ${kind}`, width: 24, height: 16, fill: pattern }),
  );
  return el("li", {}, swatch, `${mark} ${range} ${word(`load.${kind}`)}`);
}

function listing(book, facts) {
  const heads = ["office", "cases", "capacity", "load"].map((name) => word(`offices.${name}`));
  const rows = book.offices.flatMap((office) => [
    row(named(office.id, facts), office),
    ...(office.tracks?.length > 1 ? office.tracks : []).map((team) => row(el("span", { class: "track" }, track(team)), team)),
  ]);
  const measured = book.offices.filter(({ capacity }) => capacity);
  const capacity = measured.reduce((sum, office) => sum + office.capacity, 0);
  const foot = [word("offices.total"), count(book.cases), count(capacity), ""];
  return table(word("offices.title"), heads, rows, foot);
}

function row(head, office) {
  const capacity = office.capacity === null ? "–" : count(office.capacity);
  return [head, count(office.cases), capacity, meter(office)];
}

function meter(office) {
  const value = load(office);
  if (value === null) return el("span", { class: "meter none" }, "–");
  const kind = band(value);
  const bar = svg(
    "svg",
    { class: "bar", viewBox: "0 0 100 10", preserveAspectRatio: "none", "aria-hidden": "true" },
    svg("rect", { class: "rail", width: 100, height: 10 }),
    svg("rect", { class: kind, width: Math.min(100, value * 80), height: 10 }),
    svg("line", { class: "full", x1: 80, x2: 80, y1: 0, y2: 10 }),
  );
  const mark = el("span", { "aria-hidden": "true", class: "mark" }, BANDS[kind].mark);
  return el("span", { class: `meter ${kind}` }, bar, mark, " ", share(value), el("span", { class: "visually-hidden" }, ` ${word(`load.${kind}`)}`));
}

function loadInWords(office) {
  const value = load(office);
  return value === null ? inWords(office.cases) : `${share(value)}, ${word(`load.${band(value)}`)}`;
}

function track({ track: name }) {
  return hasWord(`track.${name}`) ? word(`track.${name}`) : name;
}
