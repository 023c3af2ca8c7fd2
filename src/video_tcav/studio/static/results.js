/* Results of tests in words, and in the panel beside their concepts. */

import { make } from "./api.js";

const TWINS = { none: "as they are", frozen: "frozen", reversed: "reversed", shuffled: "shuffled", motion: "motion effect", order: "order effect" };
const UNITS = { log_odds: "log-odds", number: "units of the output" };
let listed = { runs: [], problems: [], concepts: {} };
const opened = new Set();

export function twinWords(twin) { return TWINS[twin] ?? twin; }
export function unit(row) { return UNITS[row.against] ?? "logits"; }

/** An effect with its interval, with as many decimals as it takes to tell them from zero, two at least; as in tcav/wording.py. */
export function effectWords(row) {
  if (row.effect === null) return { effect: "no number", interval: "" };
  const numbers = [row.effect, row.effect_low, row.effect_high].filter((value) => value !== null);
  const largest = Math.max(...numbers.map(Math.abs));
  const decimals = largest === 0 ? 2 : Math.min(8, Math.max(2, 1 - Math.floor(Math.log10(largest))));
  const text = (number) => `${number < 0 ? "−" : "+"}${Math.abs(number).toFixed(decimals)}`;
  const interval = row.effect_low === null || row.effect_high === null ? "" : `[${text(row.effect_low)}, ${text(row.effect_high)}]`;
  return { effect: text(row.effect), interval };
}

/** "adjusted p = 0.012". */
export function pWords(row) {
  if (row.p_adjusted === null) return "no p";
  const name = row.correction === "none" ? "p" : "adjusted p";
  const value = row.p_adjusted < 0.001 ? "< 0.001" : `= ${Number(row.p_adjusted.toPrecision(2))}`;
  return `${row.caveat ? `${row.caveat}, ` : ""}${name} ${value}`;
}

/** Whether the bank's clips are still those of the run. */
export function clipWords(match) {
  if (!match.by_clips) return "same name, other clips";
  const many = match.used === 1 ? "clip is" : "clips are";
  const since = match.since ? `; ${match.since} more accepted since` : "";
  return `${match.accepted} of the run's ${match.used} ${many} accepted now${since}`;
}

export function staleMark(match) {
  const text = match.by_clips ? "stale" : "other clips";
  return make("b", { className: "stale", textContent: text, title: "A test on the bank as it is now would have other clips." });
}

/** Show the runs that the server lists; true if anything has changed. */
export function setRuns(facts) {
  const fresh = JSON.stringify(facts) !== JSON.stringify(listed);
  listed = facts;
  return fresh;
}
export function any() { return listed.runs.length > 0 || listed.problems.length > 0; }
export function runsWords() {
  const runs = listed.runs.length === 1 ? "1 run of a test" : `${listed.runs.length} runs of tests`;
  const wrong = listed.problems.length;
  return wrong ? `${runs}; ${wrong} file${wrong === 1 ? " is no result" : "s are no results"}` : runs;
}

/** The results of a concept, folded to one line, or null. */
export function resultsOf(concept) {
  const rows = Object.hasOwn(listed.concepts, concept) ? listed.concepts[concept] : [];
  if (!rows.length) return null;
  const first = rows[0];
  const gist = first.best ? `${first.target} ${effectWords(first.best).effect}` : `${first.target}: not represented`;
  const more = rows.length > 1 ? ` and ${rows.length - 1} more` : "";
  const summary = make("summary", { data: { at: `results ${concept}` } }, make("span", { textContent: gist + more }));
  const stale = rows.find((row) => row.stale || !row.by_clips);
  if (stale) summary.append(" ", staleMark(stale));
  const box = make("details", { className: "results", open: opened.has(concept) }, summary, make("ul", {}, ...rows.map(item)));
  box.addEventListener("toggle", () => { if (box.open) opened.add(concept); else opened.delete(concept); });
  return box;
}

function item(row) {
  const { best, motion } = row;
  const lines = [make("a", { href: `/runs/${row.run}`, textContent: row.run_name }), make("span", { textContent: `${row.target}, ${row.model}` })];
  if (best) {
    const { effect, interval } = effectWords(best);
    lines.push(make("span", {}, make("b", { textContent: `${effect} ${unit(best)}` }), ` ${interval}, ${pWords(best)} at ${best.layer}`));
  } else {
    lines.push(make("span", { textContent: row.layers === 1 ? "not represented at the layer that was tested" : `not represented at any of ${row.layers} layers` }));
  }
  if (motion) {
    const { effect, interval } = effectWords(motion);
    lines.push(make("span", { textContent: `motion effect ${effect} ${interval}, ${pWords(motion)}` }));
  }
  const clips = make("span", { textContent: clipWords(row) });
  if (row.stale && row.by_clips) clips.append(" ", staleMark(row));
  lines.push(clips);
  return make("li", {}, ...lines);
}
