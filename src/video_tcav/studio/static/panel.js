/* Concepts with their counters, the filters, and the bank's totals. */

import { address, counted, filters, make } from "./api.js";
import { any, resultsOf, runsWords } from "./results.js";

export let bank = null;
const list = document.getElementById("concept-list");
const form = document.getElementById("filters");

/** Show the bank as the server reports it. */
export function showBank(facts) {
  bank = facts;
  document.title = `${facts.name} – Video-TCAV studio`;
  const name = document.getElementById("bank-name");
  name.textContent = facts.name;
  name.title = facts.folder;
  const { open, accepted, rejected } = facts.verdicts;
  document.getElementById("bank-counts").textContent = `${open} open, ${accepted} accepted, ${rejected} rejected`;
  document.getElementById("need-rule").textContent = `To ${facts.need.goal}, each concept needs ${counted(facts.need.clips, "accepted clip")} from ${counted(facts.need.videos, "video")}.`;
  document.getElementById("runs-line").hidden = !any();
  document.getElementById("runs-link").textContent = runsWords();
  const wanted = filters();
  const rows = [
    row("All clips", { total: facts.total, on: !("concept" in wanted) }, without(wanted)),
    row("No concept", { total: facts.unsorted, on: wanted.concept === "", key: "0" }, { ...without(wanted), concept: "" }),
    ...facts.concepts.map((concept, number) => conceptRow(concept, number, wanted)),
  ];
  const at = document.activeElement?.closest?.("#concept-list :is(a, button, summary)")?.dataset.at;
  list.replaceChildren(...rows);
  if (at) list.querySelector(`[data-at="${CSS.escape(at)}"]`)?.focus();
  fillSelects(wanted);
}

function without(wanted) {
  const { concept, like, ...remaining } = wanted;
  return remaining;
}

function row(name, { total, on, key }, wanted) {
  const link = make("a", { href: address(wanted), className: "concept", data: { at: `row ${name}` } },
    make("span", { className: "name" }, ...(key ? [make("kbd", { textContent: key }), " "] : []), name),
    make("span", { className: "count", textContent: total.toLocaleString("en") }));
  if (on) link.setAttribute("aria-current", "page");
  return make("li", {}, link);
}

function conceptRow(concept, number, wanted) {
  const ready = concept.clips_needed === 0;
  const share = Math.min(1, concept.accepted / bank.need.clips, concept.videos / bank.need.videos);
  const fill = make("i");
  fill.style.width = `${Math.round(100 * share)}%`;
  const more = concept.videos_needed ? `, from ${concept.videos_needed} more video${concept.videos_needed === 1 ? "" : "s"}` : "";
  const link = make("a", { href: address({ ...without(wanted), concept: concept.name }), className: "concept", title: `${counted(concept.accepted, "accepted clip")} from ${counted(concept.videos, "video")}: ${concept.need_words}`, data: { at: `concept ${concept.name}` } },
    make("span", { className: "name" }, ...(number < 9 ? [make("kbd", { textContent: number + 1 }), " "] : []), concept.name),
    make("span", { className: "count", textContent: (concept.open + concept.accepted + concept.rejected).toLocaleString("en") }),
    make("span", { className: "gauge", ariaHidden: "true" }, fill),
    make("span", { className: "split", textContent: `${concept.accepted} accepted, ${concept.open} open` }),
    make("span", { className: ready ? "need ready" : "need", textContent: ready ? "✓ enough for a test" : `needs ${concept.clips_needed} more clip${concept.clips_needed === 1 ? "" : "s"}${more}` }));
  if (wanted.concept === concept.name) link.setAttribute("aria-current", "page");
  const rename = make("button", { type: "button", className: "rename", title: `Rename ${concept.name}`, ariaLabel: `Rename ${concept.name}`, textContent: "✎", data: { rename: concept.name, at: `rename ${concept.name}` } });
  const results = resultsOf(concept.name);
  return make("li", {}, link, rename, ...(results ? [results] : []));
}

function fillSelects(wanted) {
  const base = (path) => path.split(/[\\/]/).pop();
  options(form.elements.label, [["", "All labels"], ...bank.labels.filter(Boolean).map((label) => [label, label])], wanted.label);
  options(form.elements.video, [["", "All videos"], ...bank.videos.map((video) => [video, base(video)])], wanted.video);
  options(form.elements.kind, [["", "All kinds"], ...bank.kinds.map((kind) => [kind, kind])], wanted.kind);
  for (const radio of form.elements.verdict) radio.checked = radio.value === (wanted.verdict ?? "");
  const names = bank.concepts.map(({ name }, number) => [`=${name}`, number < 9 ? `${number + 1}  ${name}` : name]);
  options(document.getElementById("move"), [["", "Move to…"], ...names, ["=", "Out of its concept"]], "");
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
  for (const name of ["verdict", "label", "video", "kind"]) {
    const value = form.elements[name].value;
    if (value) wanted[name] = value;
    else delete wanted[name];
  }
  return wanted;
}
