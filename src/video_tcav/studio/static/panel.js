/* Concepts with their counters, the filters, and what the bank holds. */

import { address, counted, filters, make } from "./api.js";
import { any, resultsOf, shelfWords } from "./results.js";

export let bank = null;
const list = document.getElementById("concept-list");
const form = document.getElementById("filters");

/** Show the bank as the server told it. */
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
  document.getElementById("runs-link").textContent = shelfWords();
  const wanted = filters();
  const rows = [
    row("All clips", { total: facts.total, on: !("concept" in wanted) }, without(wanted)),
    row("No concept", { total: facts.unsorted, on: wanted.concept === "", key: "0" }, { ...without(wanted), concept: "" }),
    ...facts.concepts.map((one, place) => conceptRow(one, place, wanted)),
  ];
  const at = document.activeElement?.closest?.("#concept-list :is(a, button, summary)")?.dataset.at;
  list.replaceChildren(...rows);
  if (at) list.querySelector(`[data-at="${CSS.escape(at)}"]`)?.focus();
  fillSelects(wanted);
}

function without(wanted) {
  const { concept, like, ...others } = wanted;
  return others;
}

function row(name, { total, on, key }, wanted) {
  const link = make("a", { href: address(wanted), className: "concept", data: { at: `row ${name}` } },
    make("span", { className: "name" }, ...(key ? [make("kbd", { textContent: key }), " "] : []), name),
    make("span", { className: "count", textContent: total.toLocaleString("en") }));
  if (on) link.setAttribute("aria-current", "page");
  return make("li", {}, link);
}

function conceptRow(one, place, wanted) {
  const ready = one.clips_needed === 0;
  const share = Math.min(1, one.accepted / bank.need.clips, one.videos / bank.need.videos);
  const fill = make("i");
  fill.style.width = `${Math.round(100 * share)}%`;
  const more = one.videos_needed ? `, from ${one.videos_needed} more video${one.videos_needed === 1 ? "" : "s"}` : "";
  const link = make("a", { href: address({ ...without(wanted), concept: one.name }), className: "concept", title: `${counted(one.accepted, "accepted clip")} from ${counted(one.videos, "video")}: ${one.need_words}`, data: { at: `concept ${one.name}` } },
    make("span", { className: "name" }, ...(place < 9 ? [make("kbd", { textContent: place + 1 }), " "] : []), one.name),
    make("span", { className: "count", textContent: (one.open + one.accepted + one.rejected).toLocaleString("en") }),
    make("span", { className: "gauge", ariaHidden: "true" }, fill),
    make("span", { className: "split", textContent: `${one.accepted} accepted, ${one.open} open` }),
    make("span", { className: ready ? "need ready" : "need", textContent: ready ? "✓ enough for a test" : `needs ${one.clips_needed} more clip${one.clips_needed === 1 ? "" : "s"}${more}` }));
  if (wanted.concept === one.name) link.setAttribute("aria-current", "page");
  const rename = make("button", { type: "button", className: "rename", title: `Rename ${one.name}`, ariaLabel: `Rename ${one.name}`, textContent: "✎", data: { rename: one.name, at: `rename ${one.name}` } });
  const results = resultsOf(one.name);
  return make("li", {}, link, rename, ...(results ? [results] : []));
}

function fillSelects(wanted) {
  const base = (path) => path.split(/[\\/]/).pop();
  options(form.elements.label, [["", "All labels"], ...bank.labels.filter(Boolean).map((one) => [one, one])], wanted.label);
  options(form.elements.video, [["", "All videos"], ...bank.videos.map((one) => [one, base(one)])], wanted.video);
  options(form.elements.kind, [["", "All kinds"], ...bank.kinds.map((one) => [one, one])], wanted.kind);
  for (const radio of form.elements.verdict) radio.checked = radio.value === (wanted.verdict ?? "");
  const places = bank.concepts.map((one, place) => [`=${one.name}`, place < 9 ? `${place + 1}  ${one.name}` : one.name]);
  options(document.getElementById("move"), [["", "Move to…"], ...places, ["=", "Out of its concept"]], "");
}

function options(select, pairs, value) {
  const known = [...select.options].map((one) => `${one.value}\n${one.textContent}`).join("\n\n");
  if (known !== pairs.map(([is, words]) => `${is}\n${words}`).join("\n\n")) {
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
