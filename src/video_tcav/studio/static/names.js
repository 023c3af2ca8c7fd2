/* The dialog that names: a new concept, another name for one, or the chosen clips' concept. */

import { counted, filters } from "./api.js";
import * as panel from "./panel.js";
import * as wall from "./wall.js";

const nameDialog = document.getElementById("name-dialog");
const nameInput = document.getElementById("name-input");
let actions = {};

/** What the dialog does: `move(name, ids)`, `rename(old, name)` and `add(name)`. */
export function setup(callbacks) { actions = callbacks; }

export function nameConcept(old = null) {
  const ids = old === null ? wall.targets() : [];
  const of = old ?? filters().concept ?? wall.current()?.concept ?? "";
  const [toMove, toRename] = nameDialog.querySelectorAll("[type=submit]");
  toMove.textContent = ids.length ? `Move ${counted(ids.length, "clip")} there` : "Make the concept";
  toMove.hidden = old !== null;
  toRename.hidden = !of;
  toRename.textContent = `Rename “${of}”`;
  toRename.classList.toggle("accept", old !== null);
  document.getElementById("name-title").textContent = old === null ? "Name a concept" : `Rename “${old}”`;
  nameInput.value = old ?? "";
  nameDialog.data = { ids, of, first: old === null ? "move" : "rename" };
  nameNote();
  nameDialog.showModal();
  nameInput.select();
}

export function newConcept() {
  wall.chooseNone();
  nameConcept();
  nameDialog.data.ids = [];
  nameDialog.querySelector("[value=move]").textContent = "Make the concept";
  nameDialog.querySelector("[value=rename]").hidden = true;
}

function nameNote() {
  const exists = panel.bank.concepts.some((concept) => concept.name === nameInput.value.trim());
  const same = nameInput.value.trim() === nameDialog.data.of;
  document.getElementById("name-note").textContent = exists && !same ? "There is a concept of this name. Renaming joins the two." : "";
}

function named(action) {
  const name = nameInput.value.trim();
  const { ids, of } = nameDialog.data;
  nameDialog.close();
  if (action === "rename") return name === of ? null : actions.rename(of, name);
  return ids.length ? actions.move(name, ids) : actions.add(name);
}

nameInput.addEventListener("input", nameNote);
nameDialog.querySelector("form").addEventListener("submit", (event) => {
  event.preventDefault();
  named(event.submitter?.value && event.submitter.value !== "cancel" && !event.submitter.hidden ? event.submitter.value : nameDialog.data.first);
});
nameInput.addEventListener("keydown", (event) => {
  if (event.key !== "Enter" || !nameInput.value.trim()) return;
  event.preventDefault();
  named(nameDialog.data.first);
});
