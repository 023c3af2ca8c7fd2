/* More clips like one, and the embeddings that this needs, made by the server while the review goes on. */

import { change, filters, read } from "./api.js";
import * as wall from "./wall.js";

const NO_EMBEDDING = "Clips cannot be compared yet: press “Make embeddings”. It takes about a minute for a thousand clips.";
let actions = {};
let asking = 0;

/** What happens: `go` to filters and `say` a line. */
export function setup(callbacks) { actions = callbacks; }

/** Whether clips are like the one in focus can be asked, and if not, why. */
export function showButtons(clip) {
  const button = document.querySelector("footer [data-do=like]");
  button.ariaDisabled = String(!clip?.comparable);
  button.title = !clip || clip.comparable ? "" : NO_EMBEDDING;
  document.getElementById("embed").hidden = !clip || clip.comparable;
}

/** The clips most like the one in focus. */
export function like() {
  const clip = wall.current();
  if (!clip) return actions.say("No clip in focus.");
  if (!clip.comparable) return actions.say(NO_EMBEDDING);
  const { concept, disputed, sort, words, ...remaining } = filters();
  return actions.go({ ...remaining, like: clip.id }, { focus: true });
}

/** Make thumbnails as embeddings. */
export async function embed() {
  const failed = (error) => { clearInterval(asking); actions.say(error.message, true); };
  try {
    await change("/api/embeddings");
    clearInterval(asking);
    asking = setInterval(() => look().catch(failed), 300);
  } catch (error) {
    failed(error);
  }
}

async function look() {
  const { running, done, total, error } = await read("/api/embeddings");
  if (running) return actions.say(total ? `Comparing clips: ${done.toLocaleString("en")} of ${total.toLocaleString("en")}…` : "Comparing clips…");
  clearInterval(asking);
  if (error) return actions.say(error, true);
  await wall.refresh();
  actions.say("Done: “More like this” works now.");
}
