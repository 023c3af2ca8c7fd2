/* Agreement of reviewers, as the server computes it. */

import { counted, make, read } from "./api.js";

/** Open the dialog with the agreement of each two reviewers. */
export async function showAgreement() {
  const { pairs } = await read("/api/agreement");
  const dialog = document.getElementById("agreement-dialog");
  document.getElementById("agreement-rows").replaceChildren(...(pairs.length ? [table(pairs)] : [make("p", { textContent: "No two reviewers have judged a clip in common." })]));
  dialog.querySelector("[data-do=disputed]").hidden = !pairs.some((pair) => pair.disputed.length);
  dialog.showModal();
}

function table(pairs) {
  const head = ["Reviewers", "Both", "Alike", "Kappa"].map((textContent) => make("th", { scope: "col", textContent }));
  return make("table", { className: "agreement" }, make("thead", {}, make("tr", {}, ...head)), make("tbody", {}, ...pairs.map(row)));
}

function row({ first, second, clips, agreed, kappa }) {
  const cells = [counted(clips, "clip"), `${agreed} (${Math.round((100 * agreed) / clips)} %)`, kappa === null ? "not defined" : kappa.toFixed(2)];
  return make("tr", {}, make("th", { scope: "row", textContent: `${first || "unnamed"} and ${second || "unnamed"}` }),
    ...cells.map((textContent) => make("td", { textContent })));
}
