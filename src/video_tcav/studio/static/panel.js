/* Concepts with their counters, the filters, and the bank's totals. */

import { address, counted, filters, make } from "./api.js";
import * as ranking from "./ranking.js";
import { any, resultsOf, runsWords } from "./results.js";

export let bank = null;
const list = document.getElementById("concept-list");
const form = document.getElementById("filters");
const ORDERS = [["", "Best first"], ["confident", "Most confident"], ["unsure", "Least confident"], ["added", "Oldest first"]];
const BY_WORDS = [["", "Most like them first"], ["unlike", "Least like them first"]];
const LIKENESS = [["", "Most alike first"], ["unlike", "Least alike first"]];

/** Show the bank as the server reports it. */
export function showBank(facts) {
  bank = facts;
  document.title = `${facts.name} – Video-TCAV studio`;
  const name = document.getElementById("bank-name");
  name.textContent = facts.name;
  name.title = facts.folder;
  const { open, accepted, rejected } = facts.verdicts;
  document.getElementById("bank-counts").textContent = `${open} open, ${accepted} accepted, ${rejected} rejected`;
  document.getElementById("need-rule").textContent = `To ${facts.need.goal}, each concept needs ${counted(facts.need.clips, "accepted clip")} from ${counted(facts.need.videos, "video")}. A tube counts once, whatever its versions; clips of one video are not independent, so videos count.`;
  document.getElementById("runs-line").hidden = !any();
  document.getElementById("runs-link").textContent = runsWords();
  showReviewer(facts);
  ranking.show(facts.ranks_by);
  const wanted = filters();
  const rows = [
    row("All clips", { total: facts.total, on: !("concept" in wanted || "disputed" in wanted) }, without(wanted)),
    row("No concept", { total: facts.unsorted, on: wanted.concept === "", key: "0" }, { ...without(wanted), concept: "" }),
    ...(facts.disputed || wanted.disputed ? [row("Disagreements", { total: facts.disputed, on: "disputed" in wanted }, { disputed: true })] : []),
    ...facts.concepts.map((concept) => conceptRow(concept, wanted)),
  ];
  const at = document.activeElement?.closest?.("#concept-list :is(a, button, summary)")?.dataset.at;
  list.replaceChildren(...rows);
  if (at) list.querySelector(`[data-at="${CSS.escape(at)}"]`)?.focus();
  fillSelects(wanted);
}

function showReviewer({ reviewer, blind, reviewers }) {
  document.getElementById("reviewer").hidden = !reviewer && reviewers < 2;
  document.getElementById("reviewer-name").textContent = reviewer ? `${reviewer}${blind ? ", blind" : ""}` : "";
  document.getElementById("reveal").hidden = !blind;
  document.getElementById("agreement").hidden = blind || reviewers < 2;
}

function without(wanted) {
  const { concept, like, disputed, sort, ...remaining } = wanted;
  return sort && !sort.endsWith("like") ? { ...remaining, sort } : remaining;
}

function row(name, { total, on, key }, wanted) {
  const link = make("a", { href: address(wanted), className: "concept", data: { at: `row ${name}` } },
    make("span", { className: "name" }, ...(key ? [make("kbd", { textContent: key }), " "] : []), name),
    make("span", { className: "count", textContent: total.toLocaleString("en") }));
  if (on) link.setAttribute("aria-current", "page");
  return make("li", {}, link);
}

function conceptRow(concept, wanted) {
  const ready = concept.clips_needed === 0;
  const share = Math.min(1, concept.accepted / bank.need.clips, concept.videos / bank.need.videos);
  const fill = make("i");
  fill.style.width = `${Math.round(100 * share)}%`;
  const link = make("a", { href: address({ ...without(wanted), concept: concept.name }), className: "concept", title: `${counted(concept.accepted, "accepted clip")} from ${counted(concept.videos, "video")}: ${concept.need_words}`, data: { at: `concept ${concept.name}` } },
    make("span", { className: "name" }, ...(concept.number < 10 ? [make("kbd", { textContent: concept.number }), " "] : []), concept.name),
    make("span", { className: "count", textContent: (concept.open + concept.accepted + concept.rejected).toLocaleString("en") }),
    make("span", { className: "gauge", ariaHidden: "true" }, fill),
    make("span", { className: "split", textContent: `${concept.accepted} accepted, ${concept.open} open` }),
    make("span", { className: ready ? "need ready" : "need", textContent: `${ready ? "✓ " : ""}${concept.need_short}` }));
  if (wanted.concept === concept.name) link.setAttribute("aria-current", "page");
  const rename = make("button", { type: "button", className: "rename", title: `Rename, merge, split or reject ${concept.name}`, ariaLabel: `Change the concept ${concept.name}`, textContent: "✎", data: { rename: concept.name, at: `rename ${concept.name}` } });
  const results = resultsOf(concept.name);
  return make("li", {}, link, rename, ...(results ? [results] : []));
}

function fillSelects(wanted) {
  const base = (path) => path.split(/[\\/]/).pop();
  options(form.elements.label, [["", "All labels"], ...bank.labels.filter(Boolean).map((label) => [label, label])], wanted.label);
  options(form.elements.video, [["", "All videos"], ...bank.videos.map((video) => [video, base(video)])], wanted.video);
  options(form.elements.kind, [["", "One per tube"], ...bank.kinds.map((kind) => [kind, `Only ${kind}`]), ["all", "All versions"]], wanted.kind);
  options(form.elements.sort, "words" in wanted ? BY_WORDS : "like" in wanted ? LIKENESS : ORDERS, wanted.sort);
  if (document.activeElement !== form.elements.text) form.elements.text.value = wanted.text ?? "";
  for (const radio of form.elements.verdict) radio.checked = radio.value === (wanted.verdict ?? "");
  const names = bank.concepts.map(({ name, number }) => [name, number < 10 ? `${number}  ${name}` : name]);
  options(document.getElementById("move"), [["", "Concept…"], ...names.map(([name, words]) => [`=${name}`, `Move to ${words}`]), ["=", "Out of its concept"],
    ...names.map(([name]) => [`+${name}`, `Also in ${name}`])], "");
}

function options(select, pairs, value) {
  const current = [...select.options].map((option) => `${option.value}\n${option.textContent}`).join("\n\n");
  if (current !== pairs.map(([is, words]) => `${is}\n${words}`).join("\n\n")) {
    select.replaceChildren(...pairs.map(([is, words]) => make("option", { value: is, textContent: words })));
  }
  select.value = value ?? "";
}

/** Filters as the form has them, with the concept of the address. */
export function chosenFilters() {
  const wanted = filters();
  for (const name of ["verdict", "label", "video", "kind", "sort", "text"]) {
    const value = form.elements[name].value.trim();
    if (value) wanted[name] = value;
    else delete wanted[name];
  }
  return wanted;
}
