(() => {
  const calm = matchMedia("(prefers-reduced-motion: reduce)").matches;
  document.addEventListener("DOMContentLoaded", () => {
    const dialog = document.querySelector("dialog.larger-view");
    const buttons = [...document.querySelectorAll("button.larger")];
    let chosen = null;
    const empty = () => { dialog.querySelector(".stage").replaceChildren(); };
    const show = (button) => {
      chosen = button;
      const picture = button.parentElement.querySelector("video, img").cloneNode();
      picture.removeAttribute("title");
      if (picture.matches("video")) { picture.controls = true; picture.muted = true; picture.autoplay = !calm; }
      dialog.querySelector(".stage").replaceChildren(picture);
      dialog.querySelector("h2").textContent = button.dataset.title;
      dialog.querySelector(".caption").textContent = button.dataset.caption;
    };
    /* pictures of one list follow each other, and none is after the last */
    const turn = (by) => {
      const list = chosen.closest("ul");
      const siblings = buttons.filter((button) => button.closest("ul") === list);
      const next = siblings[siblings.indexOf(chosen) + by];
      if (next) show(next);
    };
    for (const button of buttons) {
      button.hidden = false;
      button.addEventListener("click", () => { show(button); dialog.showModal(); });
    }
    dialog?.addEventListener("keydown", (event) => {
      const by = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
      if (!by || event.target.matches("video") || event.ctrlKey || event.metaKey || event.altKey) return;
      event.preventDefault();
      turn(by);
    });
    dialog?.addEventListener("click", ({ target }) => {
      if (target.dataset.turn) turn(Number(target.dataset.turn));
      if (target === dialog || target.closest("[data-close]")) dialog.close();
    });
    dialog?.addEventListener("close", () => { empty(); chosen.focus(); });
  });
})();
