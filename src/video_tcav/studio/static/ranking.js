/* Clips ranked by words that a reviewer types, and the embeddings that this needs, made by the server while the review goes on. */

import { change, filters, read } from "./api.js";

const form = document.getElementById("ranking");
const field = form.elements.words;
const PAUSE_MS = 300; /* between two questions how far the server is */
let actions = {};
let round = 0;
let isReady = false; /* whether it is known that the studio has an encoder, or that it has none */

/** What happens: `go` to filters and `say` a line. */
export function setup(callbacks) {
  actions = callbacks;
  form.addEventListener("submit", (event) => { event.preventDefault(); rank(field.value); });
  field.addEventListener("keydown", (event) => { if (event.key === "Escape" && !field.value) actions.back(); });
  document.getElementById("leave-words").addEventListener("click", leave);
}

/** Show the field where the studio has an encoder of texts, with the words of the address. */
export function show(encoder) {
  isReady = true;
  form.hidden = !encoder;
  field.title = encoder ? `Open clips, the most like these words first, by ${encoder}` : "";
  if (document.activeElement !== field) field.value = filters().words ?? "";
}

/** Show what an order by words means. */
export function note(page) {
  const line = document.getElementById("ranked");
  line.textContent = page.note ?? "";
  line.hidden = !page.note;
  document.getElementById("leave-words").hidden = !page.note;
}

/** To the field, ready to type. */
export function focus() {
  if (!isReady) return actions.say("The bank is still being read.");
  if (form.hidden) return actions.say("Clips are ranked by words where the studio was started with --text-encoder.");
  field.focus();
  field.select();
}

/** The open clips, or those of another verdict that was chosen, the most like the words first. */
export async function rank(text, { push = true } = {}) {
  const words = text.trim();
  if (!words) return leave();
  round += 1;
  const startedIn = round;
  try {
    await embedded(startedIn);
    if (startedIn !== round) return; /* other words came meanwhile */
    const { like, sort, ...remaining } = filters();
    actions.say("");
    if (push) await actions.go({ verdict: "open", ...remaining, words }, { focus: true });
    else await actions.go({}, { push: false, focus: true });
  } catch (error) {
    actions.say(error.message, true);
  }
}

function leave() {
  round += 1;
  field.value = "";
  if ("words" in filters()) actions.go({ ...filters(), words: undefined, sort: undefined }, { focus: true });
}

async function embedded(startedIn) {
  let state = await change("/api/word-embeddings");
  while (state.running && startedIn === round) {
    const { done, total } = state;
    actions.say(total ? `Reading clips: ${done.toLocaleString("en")} of ${total.toLocaleString("en")}…` : "Reading clips…");
    await new Promise((resolve) => { setTimeout(resolve, PAUSE_MS); });
    state = await read("/api/word-embeddings");
  }
  if (state.error) throw new Error(state.error);
}
