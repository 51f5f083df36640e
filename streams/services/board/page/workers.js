// Workers, lag and firing alerts, as Prometheus knows them, and the holder of the relay.

import { count } from "./count.js";
import { el, replaceContent, table } from "./dom.js";
import { age, number, time, word } from "./words.js";

/** Show who publishes, and each worker with its partitions and its lag. */
export function showWorkers({ relay, workers, alerts }) {
  replaceContent("relay", relay.holder
    ? word("workers.relay", { holder: relay.holder, since: time(relay.since) })
    : word("workers.no_relay"));
  if (workers) return replaceContent("workers", listing(workers), lag(workers), firing(alerts));
  replaceContent("workers", el("p", { class: "unknown" }, word(alerts ? "workers.unknown" : "workers.unwatched")));
}

function listing({ workers, partitions, assigned }) {
  const heads = ["worker", "partitions", "behind"].map((name) => word(`workers.${name}`));
  const known = (value) => (value === null || value === undefined ? "–" : number(value));
  const rows = workers.map((worker) => [
    el("span", {}, el("b", {}, worker.name), el("small", {}, note(worker))),
    known(worker.partitions),
    worker.behind === null || worker.behind === undefined ? "–" : count(worker.behind),
  ]);
  const whole = word("workers.of", { assigned: known(assigned), all: known(partitions) });
  return table(word("workers.title"), heads, rows, [word("offices.total"), whole, ""]);
}

function note(worker) {
  const notes = [worker.up ? "" : word("workers.down"), worker.relay ? word("workers.publishes") : ""];
  return notes.filter((text) => text).map((text) => ` ${text}`).join(",");
}

function lag({ seconds_behind: seconds }) {
  if (seconds === null) return el("p", { class: "unknown" }, word("workers.no_lag"));
  return el("p", {}, seconds < 1 ? word("workers.no_backlog") : word("workers.lag", { age: age(seconds) }));
}

function firing(alerts) {
  if (!alerts.length) return el("p", {}, word("alerts.none"));
  return el("p", {}, word("alerts.firing", { n: number(alerts.length) }));
}
