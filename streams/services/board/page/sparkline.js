// Small charts: sparklines over the last five minutes, and grouped bars.

import { svg } from "./dom.js";
import { isShown } from "./count.js";
import { number } from "./words.js";

const WIDTH = 150;
const HEIGHT = 34;

/**
 * Return a line chart of values, oldest first. "few" is drawn as a mark on the baseline, because the
 * exact count is unknown. The scale starts at 0.
 */
export function sparkline(values, label) {
  const top = Math.max(1, ...values.filter(isShown));
  const step = WIDTH / Math.max(1, values.length - 1);
  const at = (value, i) => [i * step, HEIGHT - 2 - (value / top) * (HEIGHT - 5)];
  const chart = frame(WIDTH, HEIGHT, label, "spark");
  let run = [];
  const flush = () => {
    if (run.length > 1) {
      const line = run.map(([x, y]) => `${x.toFixed(1)},${y.toFixed(1)}`).join(" ");
      const ground = HEIGHT - 1;
      chart.append(
        svg("polygon", { class: "area", points: `${run[0][0]},${ground} ${line} ${run.at(-1)[0]},${ground}` }),
        svg("polyline", { class: "line", points: line }),
      );
    }
    run = [];
  };
  values.forEach((value, i) => {
    if (isShown(value)) {
      run.push(at(value, i));
      return;
    }
    flush();
    if (value === "few") {
      chart.append(svg("rect", { class: "little", x: i * step - step / 2, y: HEIGHT - 5, width: step, height: 4 }));
    }
  });
  flush();
  const last = values.at(-1);
  if (isShown(last)) {
    const [x, y] = at(last, values.length - 1);
    chart.append(svg("circle", { class: "now", cx: x - 2, cy: y, r: 2.5 }));
  }
  return chart;
}

/**
 * Return grouped bars, one per cell and series. ``ticks`` are [index, text] labels below the bars.
 * A suppressed cell is a short hatched bar.
 */
export function bars(series, ticks, label) {
  const [width, height, foot] = [480, 130, 18];
  const chart = frame(width, height, label, "bars");
  const top = Math.max(1, ...series.flatMap((one) => one.cells).filter(isShown));
  const slots = series[0].cells.length;
  const slot = width / slots;
  const bar = (slot - Math.min(4, slot * 0.25)) / series.length;
  const ground = height - foot;
  series.forEach((one, s) => {
    one.cells.forEach((value, i) => {
      const x = i * slot + s * bar + 1;
      const shown = isShown(value);
      const tall = shown ? (value / top) * (ground - 14) : 12;
      if (shown && value === 0) return;
      const y = ground - Math.max(2, tall);
      chart.append(
        svg("rect", {
          class: shown ? one.kind : "kept",
          fill: shown ? null : "url(#hatch-kept)",
          x,
          y,
          width: Math.max(2, bar - 1),
          height: ground - y,
        }),
      );
    });
  });
  chart.append(svg("line", { class: "ground", x1: 0, x2: width, y1: ground, y2: ground }));
  chart.append(svg("text", { class: "top", x: 0, y: 10 }, number(top)));
  for (const [i, text] of ticks) {
    const [x, anchor] = i === 0 ? [0, "start"] : i === slots - 1 ? [width, "end"] : [(i + 0.5) * slot, "middle"];
    chart.append(svg("text", { x, y: height - 4, "text-anchor": anchor }, text));
  }
  return chart;
}

function frame(width, height, label, kind) {
  return svg("svg", { class: kind, viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": label });
}
