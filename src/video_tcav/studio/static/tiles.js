/* Tiles of clips: words, marks, and the clip itself as long as it is on screen. */

import { make } from "./api.js";

const WORDS = { open: "open", accepted: "accepted", rejected: "rejected" };
const clips = new WeakMap(); /* tile -> clip */
export const calm = matchMedia("(prefers-reduced-motion: reduce)");

let wear = dress; /* what a tile of this page says */

/** Let tiles say something else than those of a bank: `wearing(tile, clip)` fills in the words. */
export function setDress(wearing) { wear = wearing; }

/** The tile of a clip. */
export function tile(clip) {
  const element = make("div", { className: "tile", role: "option", tabIndex: -1, data: { id: clip.id } },
    make("div", { className: "view" }),
    make("div", { className: "marks", ariaHidden: "true" },
      make("span", { className: "mark accept", data: { mark: "accept" }, title: "Accept (a)", textContent: "✓" }),
      make("span", { className: "mark reject", data: { mark: "reject" }, title: "Reject (r)", textContent: "✕" })),
    make("div", { className: "words", ariaHidden: "true" },
      make("b"), make("span", { className: "where" }), make("span", { className: "said" }), make("span", { className: "noted" })),
    make("span", { className: "hidden name" }));
  redress(element, clip);
  onScreen.observe(element);
  return element;
}

/** Say what a clip is now, in the words of the page. */
export function redress(element, clip) {
  hold(element, clip);
  wear(element, clip);
}

function hold(element, clip) {
  const before = clips.get(element);
  clips.set(element, clip);
  if (before && before.url !== clip.url && element.querySelector(".view").firstChild) { /* it was cut anew, and is on screen */
    release(element);
    show(element);
  }
  element.dataset.verdict = clip.verdict;
}

/* the words of a bank's clip */
function dress(element, clip) {
  const name = clip.concept || "no concept";
  element.querySelector("b").textContent = name;
  element.querySelector("b").classList.toggle("none", !clip.concept);
  element.querySelector(".where").textContent = [clip.label, clip.kind].filter(Boolean).join(" · ");
  element.title = `${clip.video} at ${clip.start_s.toFixed(1)} s`;
  element.querySelector(".said").textContent = clip.disputed || clip.settled_by !== null ? saidWords(clip) : "";
  element.querySelector(".noted").textContent = clip.note ? `“${clip.note}”` : "";
  element.classList.toggle("disputed", clip.disputed);
  element.querySelector(".name").textContent = `${clip.label || "clip"} ${clip.id}, ${clip.disputed ? `disputed: ${saidWords(clip)}` : WORDS[clip.verdict]}, ${name}, ${clip.kind}, ${clip.video} at ${clip.start_s.toFixed(1)} s`;
}

/** Who judged a clip how, and who settled it. */
export function saidWords(clip) {
  const verdicts = clip.reviews.filter(({ verdict }) => verdict !== "open").map(({ reviewer, verdict }) => `${reviewer || "unnamed"} ${verdict === "accepted" ? "✓" : "✕"}`);
  if (clip.settled_by !== null) verdicts.push(`settled by ${clip.settled_by || "unnamed"}`);
  return verdicts.join(", ");
}

/* A clip that flies past is not loaded: to start and stop the decoders of a page of clips costs several frames of scrolling. */
const SCROLLS_MS = 100; /* a wall that moved so lately still scrolls */
const STAYS_MS = 120; /* while it does, a tile gets its clip after so long on the screen */
const waits = new WeakMap(); /* tile -> timer */
let scrolledAt = -Infinity;
addEventListener("scroll", () => { scrolledAt = performance.now(); }, { capture: true, passive: true });

const onScreen = new IntersectionObserver((entries) => {
  for (const { target, isIntersecting } of entries) {
    clearTimeout(waits.get(target));
    if (!isIntersecting) release(target);
    else if (performance.now() - scrolledAt > SCROLLS_MS) show(target);
    else waits.set(target, setTimeout(show, STAYS_MS, target));
  }
}, { rootMargin: "120px", scrollMargin: "120px" });

function show(element) {
  const view = element.querySelector(".view");
  const clip = clips.get(element);
  if (!element.isConnected || view.firstChild) return;
  if (clip.problem) {
    view.append(make("p", { textContent: clip.problem }));
    return;
  }
  if (!clip.moves) {
    const image = make("img", { alt: "", draggable: false, src: clip.url });
    image.addEventListener("error", () => failed(image, clip, view));
    view.append(image);
    return;
  }
  const video = make("video", { muted: true, loop: true, playsInline: true, preload: "auto", src: clip.url, tabIndex: -1 });
  video.disablePictureInPicture = true;
  video.addEventListener("error", () => failed(video, clip, view));
  view.append(video);
  if (!calm.matches || element.matches(".current")) play(video);
}

/* what the browser does not play is transcoded by the server, once */
function failed(media, clip, view) {
  if (!media.isConnected || !media.hasAttribute("src")) return;
  const transcoded = `/encoded/${clip.id}`;
  if (media.getAttribute("src").startsWith(transcoded)) {
    view.replaceChildren(make("p", { textContent: "The file cannot be shown." }));
    return;
  }
  media.src = transcoded;
  if (media.play && (!calm.matches || media.closest(".current"))) play(media);
}

/** Take the clip off the tile: a video that was only hidden would keep its decoder and its memory. */
export function release(element) {
  const view = element.querySelector(".view");
  const video = view.querySelector("video");
  if (video) { video.pause(); video.removeAttribute("src"); video.load(); }
  view.replaceChildren();
}

/** Play a video, if there is one. */
export function play(video) { video?.play().catch(() => {}); }

calm.addEventListener("change", () => {
  for (const video of document.querySelectorAll(".tile video")) { if (calm.matches) video.pause(); else play(video); }
});
