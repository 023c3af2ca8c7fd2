/* Details of the clip in focus: its source video with span and box, its versions, reviews, note, and what the bank holds. */

import { make, read } from "./api.js";
import * as editor from "./editor.js";
import { saidWords } from "./tiles.js";

const aside = document.getElementById("detail");
const SVG = "http://www.w3.org/2000/svg";
const calm = matchMedia("(prefers-reduced-motion: reduce)");
let shown = null;
let adding = false;
let round = 0;

export function isOpen() { return !aside.hidden; }
export function isAdding() { return adding; }
/** Whether a key was one of the editor's. */
export function key(name) { return editor.key(name); }
/** Back from adding clips to the clip in focus. */
export function leave() { adding = false; }
/** Ask the bank again next time: the clip is another one now. */
export function forget() { shown = null; }

export function close() {
  aside.hidden = true;
  adding = false;
  shown = null;
  round += 1;
  stop();
  aside.replaceChildren();
}

/** Show a clip; the same clip again only gets its new words. */
export async function show(clip, actions) {
  aside.hidden = false;
  if (!clip) { stop(); shown = null; aside.replaceChildren(make("p", { className: "note", textContent: "No clip in focus." })); return; }
  if (shown?.id === clip.id) { words({ ...shown, ...clip }); return; }
  shown = null;
  round += 1;
  const startedIn = round;
  await new Promise((done) => setTimeout(done, 80)); /* while an arrow key is held down, the sources on the way are not loaded */
  if (startedIn !== round) return;
  const facts = await read(`/api/clips/${clip.id}`);
  if (startedIn !== round) return;
  shown = facts;
  stop();
  const stage = make("div", { className: "stage" });
  const form = editor.start({ span: facts, say: actions.say,
    actions: [["Save the cut", (span) => actions.cut(facts.id, span), "accept"], ["Add as a new clip", (span) => actions.add(facts.video_key, facts.concept, span)]] });
  aside.replaceChildren(head("Source video"), stage, make("p", { className: "note" }), form,
    versions(facts, actions), noteField(facts, actions), make("dl", { className: "facts" }),
    make("details", {}, make("summary", { textContent: "How it was made" }), make("dl", { className: "facts made" })));
  words(facts);
  form.hidden = Boolean(facts.source_note);
  await source(facts, stage, startedIn);
}

/** Let a person cut a clip from one of the bank's videos. */
export async function showVideos(chosen, actions) {
  const { videos } = await read("/api/videos");
  round += 1;
  stop();
  adding = true;
  shown = null;
  if (!videos.length) { aside.replaceChildren(head("Add a clip"), make("p", { className: "note", textContent: "The bank has no videos yet. Name some: video-tcav studio BANK --videos FOLDER" })); return; }
  const pick = make("select", {}, ...videos.map(({ key: value, name }) => make("option", { value, textContent: name })));
  const concept = make("select", {}, make("option", { value: "", textContent: "No concept" }), ...actions.concepts().map((name) => make("option", { value: name, textContent: name })));
  pick.value = videos.some(({ key: value }) => value === chosen) ? chosen : videos[0].key;
  concept.value = actions.concept();
  const stage = make("div", { className: "stage" });
  const form = editor.start({ span: { start_s: 0, end_s: 2 }, say: actions.say,
    actions: [["Add the clip", (span) => actions.add(pick.value, concept.value, span), "accept"]] });
  pick.addEventListener("change", () => video(pick.value, stage).catch((error) => note(error.message)));
  aside.replaceChildren(head("Add a clip"), make("label", { className: "field" }, "Video ", pick), stage, make("p", { className: "note" }), form,
    make("label", { className: "field" }, "Concept ", concept));
  pick.focus();
  await video(pick.value, stage);
}

async function video(key, stage, from = 0) {
  const startedIn = ++round;
  stage.hidden = false;
  note("");
  editor.clear();
  const facts = await read(`/api/videos/${key}`);
  if (startedIn !== round) return;
  const whole = { ...facts, source_width: facts.width, source_height: facts.height, start_s: from, end_s: from + 2, frames: 2, boxes: [], times_s: [from], whole: true };
  if (facts.url && await play(stage, whole, { url: facts.url, offset_s: 0 })) return;
  if (startedIn !== round) return;
  note("The browser does not play this format. Preparing half a minute…");
  try {
    const part = await read(`/api/videos/${key}/window`, { start_s: from });
    if (startedIn !== round) return;
    await play(stage, whole, part);
    const later = make("button", { type: "button", textContent: "The next half minute" });
    later.addEventListener("click", () => video(key, stage, from + 30).catch((error) => note(error.message)));
    note("The browser does not play this format: this is half a minute, transcoded. ");
    aside.querySelector(".note")?.append(later);
  } catch (error) {
    if (startedIn === round) note(error.message);
  }
}

function head(title) {
  return make("div", { className: "detail-head" }, make("h2", { textContent: title }),
    make("button", { type: "button", data: { do: "detail" }, ariaLabel: "Close the details", textContent: "✕" }));
}

/* the versions of the tube, each to be judged for itself */
function versions(facts, actions) {
  const tiles = facts.versions.map((clip) => {
    const media = clip.moves ? make("video", { muted: true, loop: true, playsInline: true, autoplay: !calm.matches, src: clip.url, tabIndex: -1 }) : make("img", { alt: "", src: clip.url });
    media.addEventListener("error", () => { if (!media.src.includes("/encoded/")) media.src = `/encoded/${clip.id}`; });
    const marks = [["accepted", "✓", "Accept"], ["rejected", "✕", "Reject"]].map(([verdict, textContent, word]) => {
      const on = clip.verdict === verdict;
      const button = make("button", { type: "button", className: word.toLowerCase(), textContent, ariaPressed: String(on), ariaLabel: `${word} only the ${clip.kind} version`, title: `${word} this version alone` });
      button.addEventListener("click", () => actions.judge(clip.id, on ? "open" : verdict));
      return button;
    });
    return make("li", { data: { verdict: clip.verdict } }, media, make("span", { textContent: clip.kind }), make("span", { className: "pair" }, ...marks));
  });
  return make("details", { className: "versions", open: false }, make("summary", { textContent: facts.versions.length === 1 ? "1 version" : `${facts.versions.length} versions` }), make("ul", {}, ...tiles));
}

function noteField(facts, actions) {
  const field = make("textarea", { rows: 2, maxLength: 2000, value: facts.note, placeholder: "Your note about this clip" });
  field.addEventListener("change", () => actions.note(facts.id, field.value));
  return make("label", { className: "field" }, "Note ", field);
}

function words(facts) {
  shown = facts;
  const said = saidWords(facts);
  const notes = facts.reviews.filter(({ note: text }) => text).map(({ reviewer, note: text }) => [`Note of ${reviewer || "nobody named"}`, text]);
  list(".facts:not(.made)", [
    ["Concept", [facts.concept || "none", ...facts.elsewhere.map((name) => `also in ${name}`)].join(", ")],
    ["Verdict", facts.disputed ? "disputed" : facts.verdict],
    ...(said ? [["Reviewers", said]] : []),
    ...notes,
    ["Label", facts.label ? `${facts.label}, confidence ${facts.score.toFixed(2)}` : "none"],
    ["Span", `${facts.start_s.toFixed(2)} to ${facts.end_s.toFixed(2)} s`],
    ["Video", facts.source],
  ]);
  list(".facts.made", [
    ["Kind", `${facts.kind}: ${facts.kind_words}`],
    ["Clip", `${facts.frames} frame${facts.frames === 1 ? "" : "s"}, ${facts.width} × ${facts.height} px, ${facts.fps.toFixed(3).replace(/\.?0+$/, "")} fps`],
    ["Quality", facts.quality.toFixed(3)],
    ["Tube", facts.tube],
    ...Object.entries(facts.proposer),
  ]);
}

function list(selector, rows) {
  aside.querySelector(selector)?.replaceChildren(...rows.flatMap(([name, value]) => [make("dt", { textContent: name }), make("dd", { textContent: value })]));
}

function note(text) { const line = aside.querySelector(".note"); if (line) line.textContent = text; }

function stop() {
  for (const video of aside.querySelectorAll("video")) { video.pause(); video.removeAttribute("src"); video.load(); }
}

async function source(facts, stage, startedIn) {
  if (facts.source_note) {
    note(`The source video ${facts.source_note}.`);
    stage.hidden = true;
    return;
  }
  if (facts.source_url && await play(stage, facts, { url: facts.source_url, offset_s: 0 })) return;
  if (startedIn !== round) return;
  note("The browser does not play this format. Preparing the span…");
  try {
    const span = await read(`/api/clips/${facts.id}/span`);
    if (startedIn !== round) return;
    note("The browser does not play this format: this is the span, transcoded.");
    await play(stage, facts, span);
  } catch (error) {
    if (startedIn !== round) return;
    note(error.message);
    stage.hidden = true;
  }
}

/* true once the video shows, false if the browser cannot play it. Boxes are in stored pixels, which need not be square. */
function play(stage, facts, { url, offset_s, width = facts.source_width, height = facts.source_height }) {
  const video = make("video", { muted: true, playsInline: true, controls: true, preload: "auto", ariaLabel: `Source video from ${facts.start_s.toFixed(1)} to ${facts.end_s.toFixed(1)} s` });
  const box = document.createElementNS(SVG, "svg");
  const rect = document.createElementNS(SVG, "rect");
  box.append(rect);
  box.setAttribute("aria-hidden", "true");
  box.setAttribute("preserveAspectRatio", "none");
  stage.replaceChildren(video, box);
  const from = Math.max(0, facts.start_s - offset_s);
  const to = Math.max(from, facts.end_s - offset_s);
  const moves = facts.frames > 1;
  /* the clip runs round and round; where a person has gone outside of it, the video goes on */
  let free = Boolean(facts.whole), jumping = false;
  const jump = (time) => { jumping = true; video.currentTime = time; };
  video.addEventListener("seeking", () => { if (!jumping) free = facts.whole || video.currentTime < from - 0.1 || video.currentTime > to + 0.1; });
  video.addEventListener("seeked", () => { jumping = false; });
  const draw = () => {
    if (!video.isConnected) return;
    const now = video.currentTime;
    if (moves && !free && !video.seeking && (now >= to || video.ended) && (!video.paused || video.ended)) { jump(from); video.play().catch(() => {}); }
    place(rect, facts, video.currentTime + offset_s);
    requestAnimationFrame(draw);
  };
  const fit = () => { if (video.videoWidth) stage.style.aspectRatio = `${video.videoWidth} / ${video.videoHeight}`; };
  video.addEventListener("resize", fit); /* some containers state the shape of their pixels only with the first picture */
  return new Promise((done) => {
    video.addEventListener("error", () => done(false), { once: true });
    video.addEventListener("loadedmetadata", () => {
      if (!video.videoWidth) { done(false); return; }
      box.setAttribute("viewBox", `0 0 ${width} ${height}`);
      fit();
      jump(moves ? from : facts.times_s[0] - offset_s + 0.001);
      if (moves && !facts.whole && !calm.matches) video.play().catch(() => {});
      editor.attach({ video, svg: box, offset_s, width, height });
      requestAnimationFrame(draw);
      done(true);
    }, { once: true });
    video.src = url;
  });
}

/* the box at this time: between the boxes of the frames around it, or as it was drawn */
function place(rect, { boxes, times_s: times, start_s: from, end_s: to }, time) {
  const drawn = editor.boxAt(time);
  rect.classList.toggle("drawn", drawn !== null);
  if (drawn) { rect.setAttribute("visibility", "visible"); edges(rect, drawn); return; }
  const slack = 0.06; /* browsers stop a little before or after the time that they are asked for */
  const inSpan = boxes.length && time >= from - slack && time <= to + slack;
  rect.setAttribute("visibility", inSpan ? "visible" : "hidden");
  if (!inSpan) return;
  let next = times.findIndex((frameTime) => frameTime > time);
  if (next < 0) next = times.length - 1;
  const before = Math.max(0, next - 1);
  const gap = times[next] - times[before];
  const share = gap > 0 ? Math.max(0, Math.min(1, (time - times[before]) / gap)) : 0;
  edges(rect, boxes[before].map((edge, side) => edge + share * (boxes[next][side] - edge)));
}

function edges(rect, [left, top, right, bottom]) {
  rect.setAttribute("x", left); rect.setAttribute("y", top);
  rect.setAttribute("width", Math.max(0, right - left)); rect.setAttribute("height", Math.max(0, bottom - top));
}
