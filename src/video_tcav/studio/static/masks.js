/* The page on which masks are judged: a wall of clips with outlines, verdicts, and how far the making is. */

import { address, change, counted, filters, read } from "./api.js";
import * as view from "./mask_view.js";
import { setDress } from "./tiles.js";
import * as wall from "./wall.js";
import * as walls from "./wall_keys.js";

const POLL_MS = 700;
const KEYS = { a: "accept", r: "reject", o: "open", u: "undo", "?": "help" };
const WORDS = { open: "open", accepted: "accepted", rejected: "rejected" };
const element = (id) => document.getElementById(id);
let last = Promise.resolve();
let status = null;
let grown = 0; /* clips that were made when the wall last grew */
let waiting = null; /* id of the last clip of the wall, judged while others are still on their way */

setDress((tile, clip) => {
  const doubts = clip.doubts.join(", ");
  tile.querySelector("b").textContent = clip.short;
  tile.querySelector(".where").textContent = [clip.label, clip.area].filter(Boolean).join(" · ");
  tile.querySelector(".said").textContent = doubts;
  tile.title = [clip.name, clip.how].filter(Boolean).join("\n");
  tile.querySelector(".name").textContent = [clip.name, WORDS[clip.verdict], clip.problem || doubts || "nothing odd about the mask"].join(", ");
});

function say(text, wrong = false) {
  for (const line of [element("said"), element("view-said")]) {
    line.textContent = text;
    line.classList.toggle("wrong", wrong);
  }
}

/* one change after the other, in the order of the keys */
function queue(work) {
  last = last.then(work).catch((error) => say(error.message, true));
  return last;
}

/* ---- what can be done ---- */

async function ask(path, body) {
  const answer = await change(path, body);
  showStatus(answer.status);
  for (const clip of answer.clips) wall.apply([clip.id], clip);
  view.refresh();
  return answer;
}

function judge(verdict, ids = wall.targets()) {
  if (!ids.length) return say("No clip in focus.");
  const id = wall.current()?.id;
  /* else a verdict that is meant for the next clip would change that of this one */
  /* queued, or the answer to the verdict before would take its place at once */
  if (id === waiting && ids.includes(id) && verdict !== "open") return queue(() => say("The next clip is on its way."));
  if (ids.includes(id) && verdict !== "open" && isMaking() && !next(id)) waiting = id;
  /* at once: the next key is meant for the next clip, whether the server has answered or not */
  const onwards = verdict === "open" || !ids.includes(id) ? null : wall.after(ids);
  return queue(async () => {
    const answer = await ask("/api/verdict", { ids, verdict });
    say(`${answer.said} ${counted(status.verdicts.open, "clip")} left.`);
    await onwards;
  });
}

function isMaking() { return !status || (status.made < status.total && !status.failure); }
function next(id) { return wall.tiles.get(id)?.element.nextElementSibling; }

function undo() {
  waiting = null;
  return queue(async () => {
    const answer = await ask("/api/undo", {});
    say(answer.said);
    const back = answer.clips.find(({ id }) => wall.tiles.has(id));
    if (back) wall.setFocus(back.id);
  });
}

const DO = {
  accept: () => judge("accepted"), reject: () => judge("rejected"), open: () => judge("open"), undo,
  sort: () => go(), view: view.open,
  help: () => element("help-dialog").showModal(),
};
walls.listen({ DO, KEYS, judge, say, enter: view.open });
view.listen({ DO, KEYS });
element("choose-all").addEventListener("click", walls.chooseAll);
element("help-dialog").addEventListener("click", (event) => { if (event.target.closest("[data-close]")) element("help-dialog").close(); });
element("help-dialog").addEventListener("close", () => { if (wall.current()) wall.setFocus(wall.current().id); });
wall.watch(() => {
  for (const button of document.querySelectorAll("footer :is([data-do=accept], [data-do=reject], [data-do=open], [data-do=view])")) button.disabled = !wall.current();
});

/* ---- filters ---- */

async function go() {
  try {
    const page = await wall.firstPage(filters());
    if (page) wall.fill(page, { focus: true });
    element("sort").hidden = true;
  } catch (error) {
    say(error.message, true);
  }
  document.querySelector("main").scrollTo(0, 0);
}

function showFilter() { document.querySelector(`input[name=verdict][value="${filters().verdict ?? ""}"]`).checked = true; }

element("filters").addEventListener("change", ({ target }) => {
  history.pushState(null, "", address(target.value ? { verdict: target.value } : {}));
  go();
});
addEventListener("popstate", () => { showFilter(); go(); });

/* ---- how far the making is ---- */

function showStatus(now) {
  status = now;
  const { open, accepted, rejected } = now.verdicts;
  element("counts").textContent = `${open.toLocaleString("en")} open, ${accepted.toLocaleString("en")} accepted, ${rejected.toLocaleString("en")} rejected`;
  element("file").textContent = now.file;
  element("next").textContent = now.next;
  element("then").hidden = !now.next;
  const done = now.made === now.total;
  element("bar").hidden = done || now.failure !== "";
  element("bar").value = now.made / now.total;
  element("making").classList.toggle("wrong", now.failure !== "");
  element("made").textContent = now.failure || (done ? "All masks are made." : `Masks of ${now.made.toLocaleString("en")} of ${counted(now.total, "clip")} are made; those that come now take their places behind.`);
}

/* Clips on the wall keep their places while others are being made; the button sorts them again. */
async function follow() {
  try {
    const isFirst = status === null;
    showStatus(await read("/api/masks"));
    const { made } = status;
    if (made > grown) {
      if (!isFirst && wall.tiles.size) element("sort").hidden = false;
      const passing = filters().verdict ? (await read("/api/ids", filters())).total : made;
      if (wall.tiles.size) await wall.grow(passing);
      else if (passing) await go();
      if (wall.tiles.size || !passing) grown = made; /* not before: what failed is tried again */
    }
    if (waiting !== null && (next(waiting) || !isMaking())) {
      if (wall.current()?.id === waiting && next(waiting)) wall.setFocus(Number(next(waiting).dataset.id));
      waiting = null;
    }
    if (grown === status.total || status.failure) return;
  } catch (error) {
    say(error.message, true);
  }
  setTimeout(follow, POLL_MS);
}

if (new URLSearchParams(location.search).has("token")) history.replaceState(null, "", address(filters()));
showFilter();
await go();
await follow();
