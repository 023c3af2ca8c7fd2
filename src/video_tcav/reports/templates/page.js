(() => {
  const calm = matchMedia("(prefers-reduced-motion: reduce)").matches;
  let ready = false;
  const early = (event) => { if (calm && !ready) event.target.pause(); };
  document.addEventListener("play", early, true);
  document.addEventListener("DOMContentLoaded", () => {
    const clips = [...document.querySelectorAll("video")];
    const button = document.querySelector(".pause");
    let playing = !calm;
    const show = () => { button.textContent = playing ? "Pause clips" : "Play clips"; };
    if (calm) {
      for (const clip of clips) {
        clip.removeAttribute("autoplay");
        clip.pause();
        clip.controls = clip.clientWidth >= 120;  /* they would hide a smaller one: a click plays it */
        if (!clip.controls) clip.addEventListener("click", () => { if (clip.paused) clip.play(); else clip.pause(); });
      }
    }
    setTimeout(() => { ready = true; }, 500);
    button.hidden = clips.length === 0;
    button.addEventListener("click", () => {
      ready = true;
      playing = !playing;
      for (const clip of clips) { if (playing) clip.play(); else clip.pause(); }
      show();
    });
    show();
  });
  addEventListener("beforeprint", () => { for (const part of document.querySelectorAll("details")) part.open = true; });
})();
