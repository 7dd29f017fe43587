// Draws one frame of one task at a time: the entities, their paths up to this frame, and the most probable edges.
(() => {
  const root = document.getElementById("player");
  const data = JSON.parse(document.getElementById("player-data").textContent);
  const [stage, play, scrub, choice, at, truth, least, shown, entity] = [
    "stage", "play", "scrub", "task", "at", "truth", "least", "shown", "entity",
  ].map((name) => root.querySelector(`.player-${name}`));
  const SHAPES = {
    o: "M-7,0a7,7 0 1,0 14,0a7,7 0 1,0-14,0z", s: "M-6.5,-6.5h13v13h-13z", "^": "M0,-8L8,6H-8z",
    D: "M0,-8.5L8.5,0L0,8.5L-8.5,0z", v: "M0,8L8,-6H-8z",
    P: "M-3,-8h6v5h5v6h-5v5h-6v-5h-5v-6h5z", X: "M-8,-4l4,-4l4,4l4,-4l4,4l-4,4l4,4l-4,4l-4,-4l-4,4l-4,-4l4,-4z",
  };
  const EVERY = 80;  // milliseconds per frame
  const NAMED = 16, LINE = 20;  // names of more entities would overlap; height of a line
  const SIZE = Math.max(0.5, Math.min(1, Math.sqrt(NAMED / data.entities.length)));  // of many entities
  // Lengths in units of the drawing: between two arrows, of a head, from an entity.
  const [APART, HEAD, NEAR] = [4, 9, 10].map((length) => length * SIZE);
  let task, paths, edges, marks, frame = 0, timer = null;

  const add = (name, attributes, text) => {
    const made = document.createElementNS("http://www.w3.org/2000/svg", name);
    for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
    if (text !== undefined) made.textContent = text;
    return stage.appendChild(made);
  };
  const place = (n, when) => {
    const x = task.places[when][2 * n];
    return x === null ? null : [x, task.places[when][2 * n + 1]];
  };

  function draw() {
    stage.replaceChildren();
    const all = (truth && truth.checked ? task.truth : task.edges) || [];
    const limit = least ? Number(least.value) : 0, only = entity ? entity.selectedIndex - 1 : -1;
    const drawn = all.filter(([s, t, , probability]) => probability >= limit && (only < 0 || s === only || t === only))
      .slice(0, data.most);
    if (shown) {
      shown.textContent = `${limit.toFixed(2)}: ${drawn.length} of ${all.length} edges`;
      least.setAttribute("aria-valuetext", shown.textContent);
    }
    const thin = entity && only < 0;  // many wide arrows would hide each other
    const both = new Set(drawn.map(([s, t]) => `${s}-${t}`));
    edges = drawn.map(([s, t, kind, probability]) => {
      const { colour, dash } = data.types[kind];
      const width = thin ? 1.2 * SIZE * probability : 0.6 + 2 * probability;
      const line = add("path", { class: "edge", fill: "none", stroke: colour, "stroke-width": width,
        "stroke-dasharray": dash, "data-edge": `${s}-${t}-${kind}` });
      return { s, t, line, head: add("path", { fill: colour }), beside: both.has(`${t}-${s}`) ? APART : 0 };
    });
    paths = data.entities.map((name, n) => add("path", { class: "path", fill: "none", stroke: data.marks[n][0] }));
    marks = data.entities.map((name, n) => ({
      mark: add("path", { class: "mark", d: SHAPES[data.marks[n][1]], fill: data.marks[n][0] }),
      label: data.entities.length > NAMED && n !== only ? null : add("text", {}, name),
    }));
    if (entity) {
      marks.forEach(({ mark }, n) => mark.addEventListener("click", () => {
        entity.selectedIndex = n === only ? 0 : n + 1;
        draw();
      }));
    }
    show(frame);
  }

  function show(next) {
    frame = next;
    const last = task.places.length - 1, written = [];
    for (let n = 0; n < marks.length; n++) {
      const here = place(n, frame), { mark, label } = marks[n];
      let d = "", pen = "M";
      for (let when = 0; when <= frame; when++) {
        const point = place(n, when);
        d += point ? pen + point : "";
        pen = point ? "L" : "M";
      }
      paths[n].setAttribute("d", d);
      for (const part of [mark, label]) {
        if (part) part.style.display = here ? "" : "none";
      }
      if (!here) continue;
      mark.setAttribute("transform", `translate(${here}) scale(${label ? 1 : SIZE})`);
      if (!label) continue;
      const left = here[0] > data.size[0] * 0.85;
      label.setAttribute("text-anchor", left ? "end" : "start");
      const x = here[0] + (left ? -11 : 11);
      let y = Math.max(16, here[1] - 6);
      // Names of entities that are close to each other are written below each other.
      while (written.some((other) => Math.abs(other[0] - x) < LINE && Math.abs(other[1] - y) < LINE)) y += 4;
      written.push([x, y]);
      label.setAttribute("x", x);
      label.setAttribute("y", y);
    }
    for (const { s, t, line, head, beside } of edges) {
      const from = place(s, frame), to = place(t, frame);
      const long = from && to ? Math.hypot(to[0] - from[0], to[1] - from[1]) : 0;
      const [shaft, tip] = long > 2 * NEAR ? arrow(from, to, long, beside) : ["", ""];
      line.setAttribute("d", shaft);
      head.setAttribute("d", tip);
    }
    scrub.value = frame;
    const recorded = task.frames[frame] + 1, all = task.frames[last] + 1;
    const use = data.context === null ? "" : `, ${recorded <= data.context ? "" : "not "}used by inference`;
    at.textContent = `frame ${recorded} of ${all}${use}`;
    scrub.setAttribute("aria-valuetext", at.textContent);
  }

  function arrow(from, to, long, beside) {
    const ux = (to[0] - from[0]) / long, uy = (to[1] - from[1]) / long;
    const point = (along, across) => [from[0] + ux * along - uy * across, from[1] + uy * along + ux * across]
      .map((v) => v.toFixed(1));
    const tip = point(long - NEAR, beside);
    const wide = 0.39 * HEAD;
    return [`M${point(NEAR, beside)}L${point(long - NEAR - HEAD / 2, beside)}`,
      `M${tip}L${point(long - NEAR - HEAD, beside + wide)}L${point(long - NEAR - HEAD, beside - wide)}z`];
  }

  function stop() {
    clearInterval(timer);
    timer = null;
    play.textContent = "Play";
  }

  play.addEventListener("click", () => {
    if (timer) return stop();
    const last = task.places.length - 1;
    show(frame >= last ? 0 : frame + 1);
    play.textContent = "Pause";
    timer = setInterval(() => (frame >= last ? stop() : show(frame + 1)), EVERY);
  });
  scrub.addEventListener("input", () => { stop(); show(Number(scrub.value)); });
  for (const part of [truth, entity]) {
    if (part) part.addEventListener("change", draw);
  }
  if (least) least.addEventListener("input", draw);
  choice.addEventListener("change", choose);

  function choose() {
    stop();
    task = data.tasks[choice.selectedIndex];
    scrub.max = task.places.length - 1;
    stage.setAttribute("aria-label", `Moving tracks of task ${task.name}: ${data.entities.slice(0, 12).join(", ")}`);
    frame = Math.min(data.context === null ? scrub.max : data.context - 1, scrub.max);
    frame = Math.max(0, task.frames.findLastIndex((recorded) => recorded <= frame));
    draw();
  }
  root.classList.add("ready");
  if (entity) root.classList.add("player-choose");
  choose();
})();
