/* What keys, mouse and buttons do: changes in the bank, one after the other, and what the page shows of them. */

import { address, change, counted, filters, read } from "./api.js";
import * as detail from "./detail.js";
import * as keys from "./keys.js";
import * as likeness from "./likeness.js";
import * as ranking from "./ranking.js";
import * as names from "./names.js";
import * as panel from "./panel.js";
import * as reviewers from "./reviewers.js";
import * as results from "./results.js";
import * as wall from "./wall.js";
import { chooseAll } from "./wall_keys.js";

const said = document.getElementById("said");
const helpDialog = document.getElementById("help-dialog");
let last = Promise.resolve();

function say(text, wrong = false) {
  said.textContent = text;
  said.classList.toggle("wrong", wrong);
}

/* one change after the other, in the order of the keys */
function queue(work) {
  last = last.then(work).catch((error) => say(error.message, true));
  return last;
}

let refreshing = 0;
function refreshSoon() {
  clearTimeout(refreshing);
  refreshing = setTimeout(() => Promise.all([wall.refresh(), readRuns()]).catch((error) => say(error.message, true)), 250);
}

/* results of tests: whether their clips are still those of the bank may have changed */
async function readRuns() {
  if (results.setRuns(await read("/api/runs")) && panel.bank) panel.showBank(panel.bank);
}

async function ask(path, body) {
  clearTimeout(refreshing);
  wall.outdate();
  const answer = await change(path, body);
  panel.showBank(answer.bank);
  for (const clip of answer.clips ?? []) wall.apply([clip.id], clip);
  refreshSoon();
  return answer;
}

/* ---- what can be done ---- */

function judge(verdict, ids = wall.targets()) {
  if (!ids.length) return say("No clip in focus.");
  const onwards = verdict === "open" || !ids.includes(wall.current()?.id) ? null : wall.after(ids);
  return queue(async () => {
    const answer = await ask("/api/verdict", { ids, verdict, ...alone(), settle: "disputed" in filters() });
    say(`${answer.said} ${progress(ids)}`);
    await onwards;
    showDetail();
  });
}

/* a version that is looked at for itself is judged for itself */
function alone() { return { alone: "kind" in filters() }; }

/* how far the concept of these clips is, if they have one in common */
function progress(ids) {
  const names = new Set(ids.map((id) => wall.tiles.get(id)?.clip.concept));
  const common = names.size === 1 && panel.bank.concepts.find((concept) => names.has(concept.name));
  return common ? `${common.name}: ${common.accepted} of ${panel.bank.need.clips} clips, ${common.videos} of ${panel.bank.need.videos} videos.` : "";
}

function move(concept, ids = wall.targets()) {
  if (!ids.length) return say("No clip in focus.");
  return queue(async () => {
    const answer = await ask("/api/move", { ids, concept, ...alone() });
    say(answer.said);
    showDetail();
  });
}

function copy(concept, ids = wall.targets()) {
  if (!ids.length) return say("No clip in focus.");
  return queue(async () => {
    const answer = await ask("/api/copy", { ids, concept });
    say(answer.said);
    if (answer.added) await wall.insert(answer.added);
  });
}

function undo() {
  return queue(async () => {
    const answer = await ask("/api/undo", {});
    say(answer.said);
    if (!answer.undone) return;
    const wanted = filters();
    if (wanted.concept && !panel.bank.concepts.some((concept) => concept.name === wanted.concept)) return go({ ...wanted, concept: undefined });
    clearTimeout(refreshing); /* or that would take the difference */
    const different = await wall.refresh();
    if (different.length) wall.setFocus(different[0]);
    showDetail();
    await readRuns();
  });
}

/* ---- cutting ---- */

const editing = {
  /* another span or box for the clip in focus */
  cut: (id, span) => queue(async () => {
    const answer = await ask("/api/cut", { id, ...span });
    say(answer.said);
    detail.forget();
    showDetail();
  }),
  add: (video, concept, span) => queue(async () => {
    const answer = await ask("/api/clips/new", { video, concept, ...span });
    const inserted = await wall.insert(answer.added);
    if (inserted.length) wall.setFocus(inserted[0]);
    say(inserted.length ? answer.said : `${answer.said} It does not pass the filters.`);
  }),
  note: (id, text) => queue(async () => say((await ask("/api/note", { id, text })).said)),
  judge: (id, verdict) => queue(async () => {
    const answer = await ask("/api/verdict", { ids: [id], verdict, alone: true });
    say(answer.said);
    detail.forget();
    showDetail();
  }),
  concepts: () => panel.bank.concepts.map(({ name }) => name),
  concept: () => filters().concept ?? wall.current()?.concept ?? "",
  say,
};

function addClip() {
  openDetail();
  detail.showVideos(wall.current()?.video_key, editing).catch((error) => say(error.message, true));
}

/* ---- reviewers ---- */

function disputed() {
  document.getElementById("agreement-dialog").close();
  return go({ disputed: true }, { focus: true });
}

function revealNow() {
  document.getElementById("reveal-dialog").close();
  return queue(async () => {
    const answer = await ask("/api/reveal", {});
    await wall.refresh();
    detail.forget();
    showDetail();
    say(answer.said);
  });
}

function toggleDetail(open = !detail.isOpen()) {
  if (open) { detail.leave(); openDetail(); showDetail(true); } else {
    const inside = document.getElementById("detail").contains(document.activeElement);
    detail.close();
    layout(false);
    if (inside && wall.current()) wall.setFocus(wall.current().id);
  }
}

function openDetail() {
  document.getElementById("detail").hidden = false;
  layout(true);
}

function layout(open) {
  document.body.classList.toggle("with-detail", open);
  wall.keepInSight();
  for (const button of document.querySelectorAll("footer [data-do=detail]")) button.ariaExpanded = String(open);
}

function showDetail(open = detail.isOpen()) {
  if (open && !detail.isAdding()) detail.show(wall.current(), editing).catch((error) => say(error.message, true));
}

/* ---- dialogs ---- */

names.setup({
  move,
  add: (name) => queue(async () => say((await ask("/api/concepts", { name })).said)),
  rename: (old, name) => queue(async () => {
    const answer = await ask("/api/concepts/rename", { name: old, new: name });
    say(answer.said);
    for (const [id, { clip }] of wall.tiles) if (clip.concept === old) wall.apply([id], { concept: name });
    if (filters().concept === old) {
      history.replaceState(null, "", address(clean({ ...filters(), concept: name })));
      panel.showBank(answer.bank);
    }
    showDetail();
  }),
  split: (name) => queue(async () => {
    say(`Comparing the clips of ${name}…`);
    const answer = await ask("/api/concepts/split", { name });
    say(answer.said);
    showDetail();
  }),
  reject: (name) => queue(async () => {
    const { ids } = await read("/api/ids", { concept: name });
    if (!ids.length) return say(`${name} has no clips.`);
    const answer = await ask("/api/verdict", { ids, verdict: "rejected" });
    say(answer.said);
    showDetail();
  }),
});

for (const dialog of document.querySelectorAll("dialog")) {
  dialog.addEventListener("click", (event) => { if (event.target === dialog || event.target.closest("[data-close]")) dialog.close(); });
  dialog.addEventListener("close", () => { if (wall.current()) wall.setFocus(wall.current().id); });
}

/* ---- addresses ---- */

function clean(wanted) {
  return Object.fromEntries(Object.entries(wanted).filter(([, value]) => value !== undefined));
}

/* On an error, everything stays where it is: filters, address and wall. */
async function go(wanted, { focus = false, push = true } = {}) {
  const target = push ? clean(wanted) : filters();
  try {
    const page = await wall.firstPage(target);
    if (!page) return;
    if (push) history.pushState(null, "", address(target));
    document.getElementById("leave-like").hidden = !("like" in target);
    ranking.note(page);
    wall.fill(page, { focus });
  } catch (error) {
    say(error.message, true);
  }
  if (panel.bank) panel.showBank(panel.bank);
  document.querySelector("main").scrollTo(0, 0);
  showDetail();
}

addEventListener("popstate", () => go({}, { push: false }));
document.getElementById("filters").addEventListener("change", () => go(panel.chosenFilters()));
let searching = 0;
document.getElementById("filters").addEventListener("input", ({ target }) => {
  if (target.name !== "text") return;
  clearTimeout(searching);
  searching = setTimeout(() => { if (target.value.trim() !== (filters().text ?? "")) go(panel.chosenFilters()); }, 300);
});
document.getElementById("filters").addEventListener("submit", (event) => event.preventDefault());
document.getElementById("leave-like").addEventListener("click", () => go({ ...filters(), like: undefined, sort: undefined }, { focus: true }));
document.getElementById("choose-all").addEventListener("click", chooseAll);

document.getElementById("move").addEventListener("change", ({ target }) => {
  if (target.value) (target.value[0] === "+" ? copy : move)(target.value.slice(1));
  target.value = "";
  if (wall.current()) wall.setFocus(wall.current().id);
});

/* ---- what buttons and keys name ---- */

const DO = {
  accept: () => judge("accepted"), reject: () => judge("rejected"), open: () => judge("open"),
  name: () => names.nameConcept(), concept: names.newConcept, like: likeness.like, embed: likeness.embed, words: ranking.focus, undo, add: addClip, disputed, revealNow,
  detail: () => toggleDetail(), help: () => helpDialog.showModal(), reveal: () => document.getElementById("reveal-dialog").showModal(),
  agreement: () => reviewers.showAgreement().catch((error) => say(error.message, true)),
};

likeness.setup({ go, say });
ranking.setup({ go, say, back: () => { if (wall.current()) wall.setFocus(wall.current().id); } });
keys.listen({ DO, judge, move, copy, go, toggleDetail, say });

wall.watch(() => {
  showDetail();
  const clip = wall.current();
  const none = !clip;
  likeness.showButtons(clip);
  for (const button of document.querySelectorAll("footer :is([data-do=accept], [data-do=reject], [data-do=open])")) button.disabled = none;
  document.getElementById("move").disabled = none;
});

/* another browser may have changed the bank while this page was hidden */
async function look() {
  if (document.visibilityState !== "visible" || !panel.bank) return;
  try {
    panel.showBank(await read("/api/bank"));
    await Promise.all([wall.refresh(), readRuns()]);
  } catch (error) {
    say(error.message, true);
  }
}
addEventListener("focus", look);
document.addEventListener("visibilitychange", look);

if (new URLSearchParams(location.search).has("token")) history.replaceState(null, "", address(filters()));
const narrow = matchMedia("(max-width: 47.9rem)");
const fold = () => { document.getElementById("concepts").open = !narrow.matches; };
narrow.addEventListener("change", fold);
fold();
await Promise.all([
  read("/api/bank").then(panel.showBank, (error) => say(error.message, true)),
  /* an address with words may be opened before the server has read any clip */
  filters().words ? ranking.rank(filters().words, { push: false }) : go({}, { push: false, focus: true }),
]);
await readRuns().catch((error) => say(error.message, true));
