/* Details of the clip in focus: its source video at the clip's span, with the box, and what the bank holds about it. */

import { make, read } from "./api.js";

const aside = document.getElementById("detail");
const SVG = "http://www.w3.org/2000/svg";
const calm = matchMedia("(prefers-reduced-motion: reduce)");
let shown = null;
let round = 0;

export function isOpen() { return !aside.hidden; }

export function close() {
  aside.hidden = true;
  shown = null;
  round += 1;
  stop();
  aside.replaceChildren();
}

/** Show a clip; the same clip again only gets its new words. */
export async function show(clip) {
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
  aside.replaceChildren(
    make("div", { className: "detail-head" }, make("h2", { textContent: "Source video" }),
      make("button", { type: "button", data: { do: "detail" }, ariaLabel: "Close the details", textContent: "✕" })),
    stage, make("p", { className: "note" }), make("dl", { className: "facts" }));
  words(facts);
  await source(facts, stage, startedIn);
}

function words(facts) {
  shown = facts;
  const rows = [
    ["Concept", facts.concept || "none"],
    ["Verdict", facts.verdict],
    ["Label", facts.label ? `${facts.label}, confidence ${facts.score.toFixed(2)}` : "none"],
    ["Kind", `${facts.kind}: ${facts.kind_words}`],
    ["Span", `${facts.start_s.toFixed(2)} to ${facts.end_s.toFixed(2)} s`],
    ["Clip", `${facts.frames} frame${facts.frames === 1 ? "" : "s"}, ${facts.width} × ${facts.height} px, ${facts.fps.toFixed(3).replace(/\.?0+$/, "")} fps`],
    ["Quality", facts.quality.toFixed(3)],
    ["Tube", facts.tube],
    ["Video", facts.source],
    ...Object.entries(facts.proposer),
  ];
  aside.querySelector(".facts")?.replaceChildren(...rows.flatMap(([name, value]) => [make("dt", { textContent: name }), make("dd", { textContent: value })]));
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
  const draw = () => {
    if (!video.isConnected) return;
    if (moves && !video.seeking && (video.currentTime >= to || video.ended)) { if (!video.paused || video.ended) { video.currentTime = from; video.play().catch(() => {}); } }
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
      video.currentTime = moves ? from : facts.times_s[0] - offset_s + 0.001;
      if (moves && !calm.matches) video.play().catch(() => {});
      requestAnimationFrame(draw);
      done(true);
    }, { once: true });
    video.src = url;
  });
}

/* the box at this time: between the boxes of the frames around it */
function place(rect, { boxes, times_s: times, start_s: from, end_s: to }, time) {
  const slack = 0.06; /* browsers stop a little before or after the time that they are asked for */
  const inSpan = boxes.length && time >= from - slack && time <= to + slack;
  rect.setAttribute("visibility", inSpan ? "visible" : "hidden");
  if (!inSpan) return;
  let next = times.findIndex((frameTime) => frameTime > time);
  if (next < 0) next = times.length - 1;
  const before = Math.max(0, next - 1);
  const gap = times[next] - times[before];
  const share = gap > 0 ? Math.max(0, Math.min(1, (time - times[before]) / gap)) : 0;
  const [left, top, right, bottom] = boxes[before].map((edge, side) => edge + share * (boxes[next][side] - edge));
  rect.setAttribute("x", left); rect.setAttribute("y", top);
  rect.setAttribute("width", Math.max(0, right - left)); rect.setAttribute("height", Math.max(0, bottom - top));
}
