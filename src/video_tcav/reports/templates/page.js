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
  addEventListener("beforeprint", () => { for (const part of document.querySelectorAll("details")) part.open = true; });
})();
