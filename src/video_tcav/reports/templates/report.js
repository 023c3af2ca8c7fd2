(() => {
  const setUp = (player, heat) => {
    const facts = JSON.parse(player.querySelector(".facts-of-clip").textContent);
    const canvas = player.querySelector("canvas");
    const frames = player.querySelector("img.frames");
    const maps = [...player.querySelectorAll("img.map")];
    const slider = player.querySelector("input[type=range]");
    const radios = [...player.querySelectorAll("input[type=radio]")];
    const same = player.querySelector("input[type=checkbox]");
    const button = player.querySelector("button.play");
    const head = player.querySelector(".playhead");
    const lines = [...player.querySelectorAll(".timeline .line")];
    const said = player.querySelector("output");
    const [width, height, across, down] = facts.sizes;
    const times = facts.times, last = times[times.length - 1];
    const step = times.length > 1 ? last / (times.length - 1) : 0.04;
    const context = canvas.getContext("2d");
    const small = Object.assign(document.createElement("canvas"), { width: across, height: down });
    const heatContext = small.getContext("2d");
    const levels = maps.map(() => null);
    let time = times[facts.poster], frame = -1, chosen = -1, running = 0, before = 0;

    const levelsOf = (number) => {
      if (!levels[number]) {
        const whole = Object.assign(document.createElement("canvas"), { width: across, height: down * times.length });
        const context = whole.getContext("2d", { willReadFrequently: true });
        context.drawImage(maps[number], 0, 0);
        levels[number] = context.getImageData(0, 0, across, down * times.length).data;
      }
      return levels[number];
    };
    const draw = () => {
      context.drawImage(frames, 0, frame * height, width, height, 0, 0, canvas.width, canvas.height);
      if (chosen < 0) return;
      const found = levelsOf(chosen), start = 4 * frame * across * down;
      const picture = heatContext.createImageData(across, down);
      const share = same?.checked && facts.shared[chosen] ? facts.shared[chosen] : 1;
      for (let place = 0; place < 4 * across * down; place += 4) {
        const level = Math.round(128 + (found[start + place] - 128) * share);
        for (let part = 0; part < 4; part += 1) picture.data[place + part] = heat[level][part];
      }
      heatContext.putImageData(picture, 0, 0);
      context.imageSmoothingQuality = "high";
      context.drawImage(small, 0, 0, canvas.width, canvas.height);
    };
    const show = (force) => {
      let now = times.length - 1;
      while (now > 0 && times[now] > time + 1e-6) now -= 1;
      head?.setAttribute("transform", `translate(${(Math.min(time, last) / (last || 1)) * Number(head.dataset.width)} 0)`);
      if (now === frame && !force) return;
      frame = now;
      slider.value = String(frame);
      const words = `${(facts.first + times[frame]).toFixed(2)} s`;
      slider.setAttribute("aria-valuetext", `frame ${frame + 1} of ${times.length}, ${words}`);
      said.textContent = words;
      if (frames.complete && frames.naturalWidth) draw();
    };
    const tick = (now) => {
      time += Math.min(0.25, (now - before) / 1000);
      before = now;
      if (time >= last + step) time = 0;
      show(false);
      running = requestAnimationFrame(tick);
    };
    const say = () => { button.textContent = running ? "Pause" : "Play"; };
    player.play = () => {
      if (!running) { before = performance.now(); running = requestAnimationFrame(tick); }
      say();
    };
    player.pause = () => { cancelAnimationFrame(running); running = 0; say(); };
    player.draw = () => show(true);
    const choose = () => {
      chosen = Number(radios.find((one) => one.checked)?.value ?? -1);
      for (const line of lines) line.classList.toggle("chosen", Number(line.dataset.look) === facts.looks[chosen]);
      show(true);
    };
    for (const radio of radios) radio.addEventListener("change", choose);
    same?.addEventListener("change", () => show(true));
    const hold = () => { player.pause(); player.held = true; time = times[frame]; show(true); };  /* until it is played again */
    slider.addEventListener("pointerdown", hold);
    slider.addEventListener("keydown", (event) => { if (!["Tab", "Shift"].includes(event.key)) hold(); });
    slider.addEventListener("input", () => { time = times[Number(slider.value)]; show(true); });
    button.addEventListener("click", () => { if (running) hold(); else { player.held = false; player.play(); } });
    player.querySelector(".controls").hidden = false;
    for (const picture of [frames, ...maps]) if (!picture.complete) picture.addEventListener("load", () => show(true));
    choose();
  };
  document.addEventListener("DOMContentLoaded", () => {
    const heat = document.querySelector("#heat");
    if (heat) for (const player of document.querySelectorAll(".player")) setUp(player, JSON.parse(heat.textContent));
    for (const button of document.querySelectorAll("button.copy")) {
      button.hidden = false;
      button.addEventListener("click", async () => {
        const text = document.getElementById(button.dataset.of);
        let done = true;
        try { await navigator.clipboard.writeText(text.textContent); } catch { done = false; }
        if (!done) {  /* a page from a file may not write to the clipboard: what is marked can be copied by hand */
          const range = document.createRange();
          range.selectNodeContents(text);
          getSelection().removeAllRanges();
          getSelection().addRange(range);
        }
        button.textContent = done ? "Copied" : "Marked: copy it";
        setTimeout(() => { button.textContent = "Copy"; }, 2500);
      });
    }
  });
  addEventListener("beforeprint", () => { for (const player of document.querySelectorAll(".player")) player.draw?.(); });
})();
