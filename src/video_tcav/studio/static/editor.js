/* Cutting by hand: begin and end of a clip at what the video shows, and boxes drawn on it. */

import { make } from "./api.js";

let state = null; /* {start, end, boxes: [[time_s, left, top, right, bottom]], media, drawing, draft, say} */

/** A form that cuts; `actions` are buttons with what they do with the span. */
export function start({ span, say, actions }) {
  const begin = field("From", span.start_s), finish = field("To", span.end_s);
  const draw = button("Draw a box", "b", () => toggleDrawing()), erase = button("Erase boxes", "", () => { state.boxes = []; update(); });
  state = { begin, finish, draw, erase, boxes: [], media: null, drawing: false, draft: null, say };
  state.hint = make("p", { className: "rule" });
  const form = make("form", { className: "editor", ariaLabel: "Cut" },
    make("p", {}, begin.label, button("Here", "[", () => here(begin), "Begin here")),
    make("p", {}, finish.label, button("Here", "]", () => here(finish), "End here")),
    make("p", {}, draw, erase), state.hint,
    make("p", {}, ...actions.map(([words, act, className = ""]) => {
      const done = make("button", { type: "button", className, textContent: words });
      done.addEventListener("click", () => { if (valid()) act(taken()); });
      return done;
    })));
  form.addEventListener("submit", (event) => event.preventDefault());
  update();
  return form;
}

/** The video is there: boxes are drawn on its picture. */
export function attach(media) {
  if (!state) return;
  state.media = media;
  const { svg } = media;
  svg.addEventListener("pointerdown", (event) => {
    if (!state.drawing) return;
    event.preventDefault();
    media.video.pause();
    svg.setPointerCapture(event.pointerId);
    state.draft = { from: place(event), to: place(event) };
  });
  svg.addEventListener("pointermove", (event) => { if (state.draft) state.draft.to = place(event); });
  svg.addEventListener("pointerup", () => finishBox());
  svg.addEventListener("pointercancel", () => { state.draft = null; });
}

/** Another video: boxes of the old one are gone. */
export function clear() { if (state) { state.boxes = []; state.media = null; update(); } }

/** The box that was drawn, at a time; null if none was. Between two it moves evenly, beyond them it stays. */
export function boxAt(time) {
  if (state?.draft) return box(state.draft);
  if (!state?.boxes.length) return null;
  const after = state.boxes.findIndex(([boxTime]) => boxTime > time);
  const next = state.boxes[after < 0 ? state.boxes.length - 1 : after];
  const before = state.boxes[after < 0 ? state.boxes.length - 1 : Math.max(0, after - 1)];
  const share = next[0] > before[0] ? Math.max(0, Math.min(1, (time - before[0]) / (next[0] - before[0]))) : 0;
  return before.slice(1).map((edge, side) => edge + share * (next[side + 1] - edge));
}

/** Whether a key was one of the editor's. */
export function key(name) {
  const act = { "[": () => here(state.begin), "]": () => here(state.finish), b: () => toggleDrawing() }[name];
  if (!state || !act) return false;
  act();
  return true;
}

function field(words, value) {
  const input = make("input", { type: "number", min: 0, step: "any", value: Number(value).toFixed(2), required: true });
  return { input, label: make("label", {}, `${words} `, input, " s") };
}

function button(words, keyName, act, title = "") {
  const element = make("button", { type: "button", title }, words, ...(keyName ? [" ", make("kbd", { textContent: keyName })] : []));
  element.addEventListener("click", act);
  return element;
}

function now() { return state.media.video.currentTime + state.media.offset_s; }

function here({ input }) {
  if (state.media) input.value = now().toFixed(2);
}

function toggleDrawing(on = !state.drawing) {
  if (!state.media) return;
  state.drawing = on;
  state.media.svg.classList.toggle("drawing", on);
  update();
}

function place(event) {
  const { svg, width, height } = state.media;
  const area = svg.getBoundingClientRect();
  const inside = (share) => Math.max(0, Math.min(1, share));
  return [inside((event.clientX - area.left) / area.width) * width, inside((event.clientY - area.top) / area.height) * height];
}

function box({ from, to }) {
  return [Math.min(from[0], to[0]), Math.min(from[1], to[1]), Math.max(from[0], to[0]), Math.max(from[1], to[1])];
}

function finishBox() {
  if (!state.draft) return;
  const [left, top, right, bottom] = box(state.draft);
  state.draft = null;
  if (right - left >= 4 && bottom - top >= 4) {
    const time = now();
    state.boxes = [...state.boxes.filter(([boxTime]) => Math.abs(boxTime - time) > 0.02), [time, left, top, right, bottom]].sort((a, b) => a[0] - b[0]);
  }
  toggleDrawing(false);
}

function update() {
  const { boxes, drawing, draw, erase, hint } = state;
  draw.ariaPressed = String(drawing);
  erase.hidden = !boxes.length;
  if (drawing) hint.textContent = "Pull a box over the picture.";
  else if (boxes.length > 1) hint.textContent = `${boxes.length} boxes drawn: the box moves between them.`;
  else if (boxes.length) hint.textContent = "1 box drawn: it stays there. Draw another at another moment, and it moves.";
  else hint.textContent = "";
}

function valid() {
  const from = Number(state.begin.input.value), to = Number(state.finish.input.value);
  if (from >= 0 && to > from) return true;
  state.say("The end must be after the beginning.", true);
  return false;
}

function taken() {
  const boxes = state.boxes.map(([time_s, left, top, right, bottom]) => ({ time_s, left, top, right, bottom }));
  return { start_s: Number(state.begin.input.value), end_s: Number(state.finish.input.value), boxes };
}
