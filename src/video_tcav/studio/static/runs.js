/* The pages of runs: a list of them, and one run with its results by concept and layer. */

import { counted, make, read } from "./api.js";
import { clipWords, staleMark, twinWords } from "./results.js";

const SVG = "http://www.w3.org/2000/svg";
const main = document.getElementById("content");
const id = location.pathname.split("/")[2] ?? "";

function when(created) {
  const time = new Date(created);
  return Number.isNaN(time.getTime()) ? created : time.toLocaleString("en", { dateStyle: "medium", timeStyle: "short" });
}

function facts(pairs) {
  return make("dl", { className: "facts" }, ...pairs.filter(([, value]) => value).flatMap(([name, value]) => [make("dt", { textContent: name }), make("dd", { textContent: value })]));
}

/* ---- all runs ---- */

function showAll({ runs, problems }) {
  const parts = runs.map((run) => make("article", { className: "run" },
    make("h2", {}, make("a", { href: `/runs/${run.id}`, textContent: run.name })),
    facts([["Class", run.targets.join(", ")], ["Concepts", run.concepts.join(", ")], ["Model", run.model], ["Made", when(run.created)], ["Results", String(run.results)]])));
  if (!runs.length) parts.push(make("p", { className: "empty", textContent: "No runs are here. Start the studio with --runs DIR, where DIR is a folder that video-tcav test --out wrote, or one that holds such folders." }));
  if (problems.length) {
    parts.push(make("section", { className: "warnings", ariaLabel: "Files that are no results" }, make("h2", { textContent: "Files that are no results" }),
      make("ul", {}, ...problems.map((line) => make("li", { textContent: line })))));
  }
  main.replaceChildren(...parts);
}

/* ---- one run ---- */

function showOne(run) {
  document.title = `${run.name} – Video-TCAV`;
  document.getElementById("title").textContent = run.name;
  document.getElementById("all-runs").hidden = false;
  const report = document.getElementById("report");
  report.hidden = !run.report;
  report.href = `/runs/${run.id}/report`;
  const parts = [facts([["Model", run.model], ["Made", when(run.created)]])];
  if (run.warnings.length) {
    parts.push(make("section", { className: "warnings", ariaLabel: "Warnings" }, make("h2", { textContent: "Warnings" }),
      make("ul", {}, ...run.warnings.map((line) => make("li", { textContent: line })))));
  }
  const kinds = new Map();
  for (const row of run.rows) {
    const key = JSON.stringify([row.target, row.against, row.at]);
    kinds.set(key, [...(kinds.get(key) ?? []), row]);
  }
  for (const rows of kinds.values()) parts.push(tableOf(rows, run));
  if (run.left_out) parts.push(make("p", { className: "note", textContent: `${run.left_out} more results are in the run's files.` }));
  main.replaceChildren(...parts);
}

function tableOf(rows, run) {
  const ends = rows.flatMap((row) => [row.effect, row.effect_low, row.effect_high]).filter((value) => value !== null);
  const scale = { low: Math.min(0, ...ends), high: Math.max(0, ...ends) };
  const bodies = new Map();
  for (const row of rows) bodies.set(row.concept, [...(bodies.get(row.concept) ?? []), row]);
  const first = rows[0];
  const where = first.at === "random" ? ", gradient at random clips" : "";
  const heads = ["Layer", "Clips", `Effect in ${first.words.unit}`, "Test", "CAV"].map((name) => make("th", { scope: "col", role: "columnheader", textContent: name }));
  return make("section", { className: "of-target" },
    make("h2", { id: `target-${first.target}-${first.against}`, textContent: first.target }),
    make("p", { className: "note", textContent: `First-order effect of each concept on ${first.target} (${first.against.replace("_", "-").replace(":", " with ")}${where}): bars to the right raise it, bars to the left lower it; the line is the 95 % interval. Pale bars: not represented, that is: the CAV does not tell these clips from random ones there. AUC: how often it puts an unseen concept clip above a random one.` }),
    make("table", { role: "table", className: "effects", ariaLabel: `Effects on ${first.target}` },
      make("thead", { role: "rowgroup" }, make("tr", { role: "row" }, ...heads)),
      ...[...bodies].map(([concept, rowsOf]) => body(concept, rowsOf, run, scale))));
}

function body(concept, rows, run, scale) {
  const match = Object.hasOwn(run.matches, concept) ? run.matches[concept] : null;
  const name = match ? make("a", { href: `/?${new URLSearchParams({ concept: match.concept })}`, textContent: concept }) : make("span", { textContent: concept });
  const head = make("th", { scope: "rowgroup", role: "rowheader", colSpan: 5 }, name);
  const now = match && match.by_clips && match.concept !== concept ? `now ${match.concept}; ` : "";
  head.append(make("small", { textContent: match ? ` ${now}${clipWords(match)} ` : " no clips of it in this bank" }));
  if (match && match.by_clips && match.stale) head.append(staleMark(match));
  return make("tbody", { role: "rowgroup" }, make("tr", { role: "row", className: "concept-head" }, head), ...rows.map((row) => line(row, scale)));
}

function line(row, scale) {
  const { effect, interval, p, cav } = row.words;
  const version = row.versus === "random" ? twinWords(row.twin) : `${twinWords(row.twin)}, rather than ${row.versus}`;
  const cell = (className, ...inside) => make("td", { role: "cell", className }, ...inside);
  return make("tr", { role: "row", className: row.represented ? "" : "unseen" },
    make("th", { scope: "row", role: "rowheader", textContent: row.layer }),
    cell("version", version),
    cell("effect", bar(row, scale), make("span", {}, make("b", { textContent: effect }), ` ${interval}`)),
    cell("test", p),
    cell("cav", cav));
}

function bar(row, { low, high }) {
  const span = high - low || 1;
  const at = (value) => (100 * (value - low)) / span;
  const picture = document.createElementNS(SVG, "svg");
  picture.setAttribute("viewBox", "0 0 100 16");
  picture.setAttribute("preserveAspectRatio", "none");
  picture.setAttribute("aria-hidden", "true");
  const draw = (name, attributes) => {
    const shape = document.createElementNS(SVG, name);
    for (const [key, value] of Object.entries(attributes)) shape.setAttribute(key, value);
    picture.append(shape);
  };
  if (row.effect !== null) {
    const [from, to] = [at(0), at(row.effect)].sort((a, b) => a - b);
    draw("rect", { x: from, y: 3, width: Math.max(0.4, to - from), height: 10, class: row.effect < 0 ? "against" : "for" });
    if (row.effect_low !== null && row.effect_high !== null) draw("line", { x1: at(row.effect_low), x2: at(row.effect_high), y1: 8, y2: 8, class: "interval" });
  }
  draw("line", { x1: at(0), x2: at(0), y1: 0, y2: 16, class: "zero" });
  return picture;
}

try {
  if (id) showOne(await read(`/api/runs/${id}`));
  else showAll(await read("/api/runs"));
} catch (error) {
  main.replaceChildren(make("p", { className: "note wrong", role: "alert", textContent: error.message }));
}
