// What is chosen, said and pressed around the map.
const find = (id) => document.getElementById(id);
const UNITS = { metre: "km", degree: "°", pixel: "" };
const leads = page.stops.slice(0, WINDOW).map((stop) => stop.lead);
let timer = 0;
let pointer = null;

function element(name, text, kind) {
  const made = document.createElement(name);
  if (text !== undefined) made.textContent = text;
  if (kind) made.className = kind;
  return made;
}

function row(body, name, value, kind) {
  const line = element("tr", undefined, kind);
  const head = element("th", name);
  head.scope = "row";
  line.append(head, element("td", value));
  body.append(line);
}

function options(select, names) {
  select.replaceChildren(...names.map((name, number) => {
    const made = element("option", name);
    made.value = number;
    return made;
  }));
}

const shown = page.layers.filter((layer) => layer.label);

function start() {
  find("reference").textContent = page.reference ? `from ${page.reference}` : "";
  options(find("hazard"), page.hazards);
  options(find("layer"), shown.map((layer) => layer.label));
  find("hazards").hidden = !page.hazards.length;
  find("lined").hidden = !page.levels.length || !layerNamed("probability");
  find("extent").hidden = !page.areas.some((hazard) => hazard.some((stop) => stop.some((area) => area !== null)));
  find("slider").max = WINDOW;
  find("timeline").hidden = WINDOW === 0;
  ticks();
  listen();
  fit();
  state.stop = usable(state.layer, WINDOW);
  update();
  prefetch();
}

// a stop that a layer has: the one asked for, or else the window, or its last
function usable(layer, stop) {
  const every = stopsOf(layer);
  return every.includes(stop) ? stop : every[every.length - 1];
}

async function prefetch() {
  for (const layer of page.layers) {
    for (const number of layer.frames.flat()) if (number !== null) await want(number);
  }
  document.body.dataset.unpacked = "all";
  read();
}

async function update() {
  const { layer, stop } = state;
  const every = stopsOf(layer);
  const at = page.stops[stop];
  find("slider").value = stop;
  find("slider").disabled = find("play").disabled = every.length < 2;
  find("slider").setAttribute("aria-valuetext", [at.label, at.time].filter(Boolean).join(", "));
  find("lead").textContent = stop === WINDOW ? "Any time" : at.label;
  find("time").textContent = at.time;
  [...find("ticks").children].forEach((tick) => tick.classList.toggle("now", Number(tick.dataset.stop) === stop));
  legend();
  extent();
  try {
    if (!(await paint())) return;
  } catch (error) {
    trouble(error);
    return;
  }
  draw();
  read();
  describe();
  document.body.dataset.shown = [layer.name, state.hazard, stop].join("/");
}

function trouble(error) {
  const words = typeof DecompressionStream === "undefined"
    ? "This browser cannot unpack the map (it has no DecompressionStream); open it in Chrome or Edge 80, Firefox 113, Safari 16.4, or newer."
    : `The map cannot be drawn: ${error.message}`;
  find("trouble").textContent = words;
  find("trouble").hidden = false;
}

function describe() {
  const at = page.stops[state.stop];
  const hazard = state.layer.byHazard ? ` of ${page.hazards[state.hazard]}` : "";
  canvas.setAttribute("aria-label", `Map of ${state.layer.label.toLowerCase()}${hazard}, ${[at.label, at.time].filter(Boolean).join(", ")}`);
}

function ticks() {
  const box = find("ticks");
  box.replaceChildren();
  const most = Math.max(2, Math.floor(box.clientWidth / 62));
  const each = [1, 2, 3, 4, 6, 12].find((step) => leads.length / step <= most) || Math.ceil(leads.length / most);
  page.stops.forEach((stop, number) => {
    const last = number === WINDOW;
    const far = (WINDOW - number) * (box.clientWidth / Math.max(WINDOW, 1)) > 84;
    if (!last && ((number + 1) % each || !far)) return;
    const tick = element("span", last ? "any time" : stop.label.replace(" min", "′"));
    tick.style.left = `${(100 * number) / Math.max(WINDOW, 1)}%`;
    tick.dataset.stop = number;
    box.append(tick);
  });
}

function legend() {
  const { layer } = state;
  const hazard = layer.byHazard ? `: ${page.hazards[state.hazard]}` : "";
  find("legend-title").textContent = `${layer.label}${hazard}${layer.units ? ` [${layer.units}]` : ""}`;
  find("bar").replaceChildren(...layer.legend.colors.map((shade) => {
    const part = element("i");
    part.style.background = shade || "transparent";
    return part;
  }));
  const width = find("scale").clientWidth || 280;
  const { ticks: marks } = layer.legend;
  // the first and the last text stand inside the bar, the others about their place
  const wide = ([, text]) => 6.8 * text.length;
  const ends = (some, at) => [
    some[at][0] * width - wide(some[at]) * (some[at][0] < 0.03 ? 0 : some[at][0] > 0.97 ? 1 : 0.5),
    some[at][0] * width + wide(some[at]) * (some[at][0] < 0.03 ? 1 : some[at][0] > 0.97 ? 0 : 0.5),
  ];
  const fits = (some) => some.every((_, at) => !at || ends(some, at)[0] > ends(some, at - 1)[1] + 5);
  let kept = marks;
  for (let each = 2; kept.length > 2 && !fits(kept); each += 1) {
    kept = marks.filter((_, at) => (marks.length - 1 - at) % each === 0);
  }
  find("scale").replaceChildren(...kept.map(([spot, text]) => {
    const tick = element("span", text, spot < 0.03 ? "first" : spot > 0.97 ? "last" : "");
    tick.style.left = `${100 * spot}%`;
    return tick;
  }));
  const list = find("swatches");
  list.replaceChildren();
  const swatch = (kind, text) => {
    const item = element("li");
    item.append(element("i", undefined, kind), text);
    list.append(item);
  };
  if (layer.legend.bare) swatch("", `below ${layer.legend.bare}${layer.units ? ` ${layer.units}` : ""}`);
  if (layer.name === "arrival" || layer.name === "duration") swatch("", "where the probability is under 10 %");
  swatch("missing", "no data");
  if (isPartly()) swatch("partly", "known at some lead times only");
  if (state.lines && page.levels.length && layerNamed("probability")) {
    swatch("line", `probability ${page.levels.map((level) => `${Number((100 * level).toPrecision(3))}`).join(", ")} %`);
  }
}

function extent() {
  const body = find("areas");
  body.replaceChildren();
  const stop = frameOf(layerNamed("probability"), state.hazard, state.stop) === null ? WINDOW : state.stop;
  const sizes = (page.areas[state.hazard] || [])[stop] || [];
  page.levels.forEach((level, number) => {
    const area = sizes[number];
    const text = area === null || area === undefined ? "unknown" : `${rounded(area)} km²`;
    row(body, `at ${Number((100 * level).toPrecision(3))} % or more`, text, level === 0.5 ? "chosen" : "");
  });
  find("unknown").textContent = unknown((page.unknown[state.hazard] || [])[stop], stop);
  const displaced = (page.displaced[state.hazard] || [])[stop];
  find("displaced").textContent = (() => {
    if (displaced === null || displaced === undefined) return "";
    if (displaced === "apart") return "Members agree at no scale on where it is.";
    return `Members displace it by ${inWords(displaced)} km from one another.`;
  })();
}

// how much of the map the areas do not tell of
function unknown(share, stop) {
  if (!share) return "";
  const words = share < 0.01 ? "Under 1 %" : share > 0.99 && share < 1 ? "Over 99 %" : `${Math.round(100 * share)} %`;
  const when = stop === WINDOW ? "for the window" : "at this lead time";
  const more = stop === WINDOW && page.partly[state.hazard] ? " Lead times know more of it: move the slider." : "";
  return `${words} of the map is unknown ${when}, and counts in no area.${more}`;
}

function rounded(area) {
  if (area >= 1000) return String(Number(area.toPrecision(3))).replace(/\B(?=(\d{3})+$)/g, " ");
  return inWords(area);
}

// the place that is told of: the one kept, or else that under the pointer
function spot() {
  return state.pin || (pointer && inside(pointer.row, pointer.column) ? pointer : null);
}

function read() {
  const at = spot();
  find("readout").hidden = find("chart").hidden = !at;
  find("hint").hidden = Boolean(at);
  find("tip").hidden = !pointer || !inside(pointer.row, pointer.column) || pointer.touch;
  if (!find("tip").hidden) {
    const code = codeAt(state.layer, state.hazard, state.stop, cellAt(pointer.row, pointer.column));
    find("tip").textContent = said(state.layer, code) || "…";
    const left = pointer.x + 14 + find("tip").offsetWidth > size().width ? pointer.x - 14 - find("tip").offsetWidth : pointer.x + 14;
    find("tip").style.transform = `translate(${Math.round(left)}px, ${Math.round(Math.max(pointer.y - 30, 2))}px)`;
  }
  if (!at) return;
  const body = find("values");
  body.replaceChildren();
  const place = located(at.row, at.column);
  if (place) row(body, "Place", `${angle(place.latitude, "NS")}, ${angle(place.longitude, "EW")}`);
  if (page.kind !== "degree" || page.turned) row(body, "Grid", `x ${ground("x", at)}, y ${ground("y", at)} ${UNITS[page.kind]}`.trim());
  const cell = cellAt(at.row, at.column);
  const tell = (layer, name) => {
    const words = said(layer, codeAt(layer, state.hazard, usable(layer, state.stop), cell));
    if (words !== null) row(body, name, words, layer === state.layer ? "chosen" : "");
  };
  for (const layer of shown.filter(({ group }) => !group)) tell(layer, layer.label);
  for (const group of new Set(shown.map((layer) => layer.group).filter(Boolean))) several(body, group, cell);
  const [early, late] = ["arrival early", "arrival late"].map((name) => {
    const layer = layerNamed(name);
    const code = layer ? codeAt(layer, state.hazard, WINDOW, cell) : null;
    return code === null || code >= NEVER ? null : said(layer, code);
  });
  if (early && late) row(body, "Arrival, 8 in 10", `${early} to ${late}`);
  if (page.factor > 1) row(body, "Pixel", `largest of ${page.factor} × ${page.factor}`);
  curves(cell);
}

// a row for layers that belong together, such as percentiles
function several(body, group, cell) {
  const some = shown.filter((layer) => layer.group === group);
  const codes = some.map((layer) => codeAt(layer, state.hazard, usable(layer, state.stop), cell));
  if (codes.some((code) => code === null)) return;
  const bare = codes.map((code, number) => (code < NEVER ? worth(some[number], code) : "–"));
  const kind = some.includes(state.layer) ? "chosen" : "";
  const text = codes.every((code) => code === MISSING) ? "no data" : `${bare.join(" / ")} ${some[0].units}`.trim();
  row(body, `${group} ${some.map((layer) => layer.share).join(" / ")}`, text, kind);
}

function curves(cell) {
  const layer = layerNamed("probability");
  const every = layer ? page.hazards.map((name, hazard) => ({
    name,
    color: curveColor(hazard),
    values: leads.map((_, stop) => {
      const code = codeAt(layer, hazard, stop, cell);
      return code === null || code >= NEVER ? null : code / 200;
    }),
  })) : [];
  const box = find("chart");
  chart(box, leads, every.filter(({ values }) => values.some((value) => value !== null)), state.stop);
  if (!box.firstChild) return;
  const list = element("ul", undefined, "swatches");
  for (const { name, color: shade } of every) {
    const item = element("li");
    const mark = element("i");
    mark.style.background = shade;
    item.append(mark, name);
    list.append(item);
  }
  box.append(list);
}

function angle(value, ends) {
  const digits = page.digits;
  return `${Math.abs(value).toFixed(digits)}° ${ends[value < 0 ? 1 : 0]}`;
}

function ground(axis, at) {
  const [first, step] = page[axis];
  const cell = axis === "y" ? Math.floor(at.row) : Math.floor(at.column);
  const value = first + cell * step;
  const unit = page.kind === "metre" ? 1000 : 1;
  const digits = page.kind === "pixel" ? 0 : Math.min(Math.max(1 - Math.floor(Math.log10(Math.abs(step) / unit)), 0), 6);
  return String(Number((value / unit).toFixed(digits))).replace("-", "−");
}

function choose(changes) {
  Object.assign(state, changes);
  state.stop = usable(state.layer, state.stop);
  update();
}

function step(by) {
  const every = stopsOf(state.layer);
  const at = every.indexOf(state.stop) + by;
  choose({ stop: every[Math.min(Math.max(at, 0), every.length - 1)] });
}

function play(on) {
  clearInterval(timer);
  timer = 0;
  if (on) {
    const every = stopsOf(state.layer).filter((stop) => stop !== WINDOW);
    if (!every.length) return play(false);
    const next = () => choose({ stop: every[(every.indexOf(state.stop) + 1) % every.length] });
    next();
    timer = setInterval(next, 600);
  }
  find("play").setAttribute("aria-pressed", String(on));
  find("play").setAttribute("aria-label", on ? "Pause" : "Play");
  find("play").title = on ? "Pause" : "Play";
  return on;
}

function keep(at) {
  state.pin = at && inside(at.row, at.column) ? { row: Math.floor(at.row) + 0.5, column: Math.floor(at.column) + 0.5 } : null;
  draw();
  read();
}

function press(event) {
  const { key, target } = event;
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  if (target.matches("select, input[type=range]") && key !== "Escape") return;
  const pressable = target.matches("button, summary, input");
  const way = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[key];
  if (way && event.shiftKey) {
    if (state.pin) keep({ row: state.pin.row + way[1] * page.factor, column: state.pin.column + way[0] * page.factor });
    else move(60 * way[0], 60 * way[1]);
  } else if (way && way[0]) {
    play(false);
    step(way[0]);
  } else if (key === "Home" || key === "End") {
    play(false);
    step(key === "Home" ? -1e6 : 1e6);
  } else if (key === " " && !pressable) play(!timer);
  else if (key === "+" || key === "=") magnify(1.4);
  else if (key === "-") magnify(1 / 1.4);
  else if (key === "0") { fit(); draw(); }
  else if (key === "Escape") keep(null);
  else if (key === "Enter" && target === canvas) keep({ row: state.row, column: state.column });
  else return;
  event.preventDefault();
}

const held = new Map();
let dragged = 0;

function at(event) {
  const box = canvas.getBoundingClientRect();
  const [x, y] = [event.clientX - box.left, event.clientY - box.top];
  return { x, y, row: rowAt(y), column: columnAt(x), touch: event.pointerType === "touch" };
}

function moved(event) {
  const now = at(event);
  const last = held.get(event.pointerId);
  if (!last) {
    pointer = now;
    read();
    return;
  }
  const other = [...held.entries()].find(([id]) => id !== event.pointerId);
  dragged += Math.hypot(now.x - last.x, now.y - last.y);
  held.set(event.pointerId, now);
  if (other) {
    const [from, to] = [last, now].map((place) => Math.hypot(place.x - other[1].x, place.y - other[1].y));
    if (from > 0) magnify(to / from, (now.x + other[1].x) / 2, (now.y + other[1].y) / 2);
  } else if (dragged > 4) {
    canvas.classList.add("held");
    pointer = null;
    move(last.x - now.x, last.y - now.y);
    read();
  }
}

function released(event) {
  const now = at(event);
  const alone = held.size === 1;
  if (!held.delete(event.pointerId)) return;
  canvas.classList.remove("held");
  if (alone && dragged <= 4 && event.type === "pointerup") {
    const same = state.pin && Math.hypot(across(state.pin.column) - now.x, down(state.pin.row) - now.y) < 8;
    keep(same ? null : now);
  }
  if (!held.size) dragged = 0;
}

function listen() {
  find("hazard").addEventListener("change", (event) => choose({ hazard: Number(event.target.value) }));
  find("layer").addEventListener("change", (event) => {
    play(false);
    choose({ layer: shown[Number(event.target.value)] });
  });
  find("lines").addEventListener("change", (event) => {
    state.lines = event.target.checked;
    legend();
    draw();
  });
  find("slider").addEventListener("input", (event) => {
    play(false);
    const every = stopsOf(state.layer);
    const asked = Number(event.target.value);
    choose({ stop: every.reduce((a, b) => (Math.abs(b - asked) < Math.abs(a - asked) ? b : a)) });
  });
  find("play").addEventListener("click", () => play(!timer));
  find("closer").addEventListener("click", () => magnify(1.5));
  find("wider").addEventListener("click", () => magnify(1 / 1.5));
  find("whole").addEventListener("click", () => { fit(); draw(); });
  document.addEventListener("keydown", press);
  canvas.addEventListener("pointerdown", (event) => {
    canvas.setPointerCapture(event.pointerId);
    held.set(event.pointerId, at(event));
  });
  canvas.addEventListener("pointermove", moved);
  canvas.addEventListener("pointerup", released);
  canvas.addEventListener("pointercancel", released);
  canvas.addEventListener("pointerleave", () => { pointer = null; read(); });
  canvas.addEventListener("dblclick", (event) => magnify(2, at(event).x, at(event).y));
  canvas.addEventListener("wheel", (event) => {
    event.preventDefault();
    magnify(Math.exp(-event.deltaY * (event.deltaMode ? 0.05 : 0.0016)), at(event).x, at(event).y);
  }, { passive: false });
  window.matchMedia("(prefers-color-scheme: dark)").addEventListener("change", update);
  let before = size();
  new ResizeObserver(() => {
    const whole = 0.96 * Math.min(before.width / page.columns, before.height / (page.rows * page.aspect));
    if (Math.abs(state.zoom / whole - 1) < 1e-6) fit();
    before = size();
    clamp();
    ticks();
    legend();
    draw();
  }).observe(canvas);
}

if (typeof DecompressionStream === "undefined") trouble(new Error());
else start();
