(() => {
  const calm = matchMedia("(prefers-reduced-motion: reduce)").matches;
  let ready = false;
  const early = (event) => { if (calm && !ready) event.target.pause(); };
  document.addEventListener("play", early, true);
  document.addEventListener("DOMContentLoaded", () => {
    const clips = [...document.querySelectorAll("video, .player")];
    const button = document.querySelector(".pause");
    const seen = new Set();
    let playing = !calm;
    const set = (clip) => {
      if (playing && seen.has(clip) && !clip.held) clip.play()?.catch(() => {});  /* paused before it began: nothing is lost */
      else clip.pause();
    };
    const show = () => { button.textContent = playing ? "Pause clips" : "Play clips"; };
    if (calm) {
      for (const clip of clips) {
        if (!clip.matches("video")) continue;
        clip.removeAttribute("autoplay");
        clip.pause();
        clip.controls = clip.clientWidth >= 120;  /* they would hide a smaller one: a click plays it */
        if (!clip.controls) clip.addEventListener("click", () => { if (clip.paused) clip.play(); else clip.pause(); });
      }
    }
    setTimeout(() => { ready = true; }, 500);
    /* only what is on screen plays */
    const watcher = new IntersectionObserver((entries) => {
      for (const { target, isIntersecting } of entries) {
        if (isIntersecting) seen.add(target); else seen.delete(target);
        if (!isIntersecting || playing) set(target);
      }
    }, { rootMargin: "80px" });
    for (const clip of clips) watcher.observe(clip);
    button.hidden = clips.length === 0;
    button.addEventListener("click", () => {
      ready = true;
      playing = !playing;
      for (const clip of clips) { clip.held = false; set(clip); }
      show();
    });
    show();
  });
  /* the definition of a word beside it, on focus and under the pointer; Escape hides it */
  document.addEventListener("DOMContentLoaded", () => {
    const tip = document.querySelector(".tip");
    const hide = () => { tip.hidden = true; };
    const explain = ({ target }) => {
      const term = target.closest?.(".term");
      if (!term) { if (target !== tip) hide(); return; }
      tip.textContent = document.querySelector(`${term.getAttribute("href")} dd`).textContent;
      tip.hidden = false;
      const word = term.getBoundingClientRect(), box = tip.getBoundingClientRect();
      const below = word.bottom + box.height + 8 < innerHeight;
      tip.style.top = `${below ? word.bottom : Math.max(0, word.top - box.height)}px`;
      tip.style.left = `${Math.max(8, Math.min(word.left, document.documentElement.clientWidth - box.width - 8))}px`;
    };
    for (const term of document.querySelectorAll(".term")) term.setAttribute("aria-describedby", term.getAttribute("href").slice(1));
    for (const kind of ["focusin", "mouseover"]) document.addEventListener(kind, explain);
    document.addEventListener("focusout", hide);
    document.addEventListener("scroll", hide, true);
    document.addEventListener("keydown", (event) => { if (event.key === "Escape") hide(); });
    for (const button of document.querySelectorAll("button.open-all")) {
      button.hidden = false;
      button.addEventListener("click", () => {
        const folded = [...document.querySelectorAll("details")], open = folded.every((part) => part.open);
        for (const part of folded) part.open = !open;
        button.textContent = open ? "Open all" : "Close all";
      });
    }
  });
})();
