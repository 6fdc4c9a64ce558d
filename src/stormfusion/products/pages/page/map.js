// The map: what part of it is seen, and how it is drawn.
const canvas = document.getElementById("map");
const pen = canvas.getContext("2d");
const state = { hazard: 0, layer: page.layers[0], stop: WINDOW, lines: true, pin: null, row: 0, column: 0, zoom: 1 };
const picture = document.createElement("canvas");
[picture.width, picture.height] = [COLUMNS, ROWS];
const painter = picture.getContext("2d");
const mask = document.createElement("canvas"); // where the window is known in part
[mask.width, mask.height] = [COLUMNS, ROWS];
const veil = document.createElement("canvas");
let drawn = 0;
let paths = { key: "", lines: [] };
const LIKELY = 20; // times are drawn where the probability is a tenth or more

const size = () => ({ width: canvas.clientWidth, height: canvas.clientHeight });
const across = (column) => (column - state.column) * state.zoom + size().width / 2;
const down = (row) => (row - state.row) * state.zoom * page.aspect + size().height / 2;
const columnAt = (x) => state.column + (x - size().width / 2) / state.zoom;
const rowAt = (y) => state.row + (y - size().height / 2) / (state.zoom * page.aspect);
const inside = (row, column) => row >= 0 && row < page.rows && column >= 0 && column < page.columns;
const cellAt = (row, column) => Math.floor(row / page.factor) * COLUMNS + Math.floor(column / page.factor);
const color = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

function fit() {
  const { width, height } = size();
  [state.row, state.column] = [page.rows / 2, page.columns / 2];
  state.zoom = whole();
  function whole() {
    return 0.96 * Math.min(width / page.columns, height / (page.rows * page.aspect));
  }
}

function clamp() {
  const { width, height } = size();
  const least = 0.6 * Math.min(width / page.columns, height / (page.rows * page.aspect));
  state.zoom = Math.min(Math.max(state.zoom, least), Math.max(64, 2 * least));
  state.row = Math.min(Math.max(state.row, 0), page.rows);
  state.column = Math.min(Math.max(state.column, 0), page.columns);
}

// zoom by a factor about a point of the screen that stays where it is
function magnify(factor, x = size().width / 2, y = size().height / 2) {
  const [row, column] = [rowAt(y), columnAt(x)];
  state.zoom *= factor;
  clamp();
  state.row += row - rowAt(y);
  state.column += column - columnAt(x);
  clamp();
  draw();
}

function move(right, below) {
  state.column += right / state.zoom;
  state.row += below / (state.zoom * page.aspect);
  clamp();
  draw();
}

function channels(text) {
  return [1, 3, 5].map((start) => parseInt(text.slice(start, start + 2), 16));
}

// the colours of a layer's codes, as the canvas stores them
function palette(layer) {
  const shades = new Uint8ClampedArray(4 * 256);
  layer.colors.forEach((text, code) => {
    if (text) shades.set([...channels(text), 255], 4 * code);
  });
  for (const code of layer.name === "probability" ? [PARTLY, MISSING] : [MISSING]) {
    shades.set([...channels(color("--missing")), 255], 4 * code);
  }
  return new Uint32Array(shades.buffer);
}

async function paint() {
  const { layer, hazard, stop } = state;
  const number = frameOf(layer, hazard, stop);
  const rare = layer.name === "arrival" || layer.name === "duration";
  const risk = rare ? frameOf(layerNamed("probability"), hazard, WINDOW) : null;
  const codes = number === null ? null : await want(number);
  const likely = risk === null ? null : await want(risk);
  const whole = isPartly() ? await want(frameOf(layerNamed("probability"), hazard, WINDOW)) : null;
  if (layer !== state.layer || hazard !== state.hazard || stop !== state.stop) return false;
  const image = painter.createImageData(COLUMNS, ROWS);
  const hatched = painter.createImageData(COLUMNS, ROWS);
  if (codes) {
    const shades = palette(layer);
    const pixels = new Uint32Array(image.data.buffer);
    for (let at = 0; at < codes.length; at += 1) {
      if (likely === null || likely[at] >= LIKELY) pixels[at] = shades[codes[at]];
      if (whole && whole[at] === PARTLY && (codes === whole || codes[at] === MISSING)) hatched.data[4 * at + 3] = 255;
    }
  }
  painter.putImageData(image, 0, 0);
  mask.getContext("2d").putImageData(hatched, 0, 0);
  const own = frameOf(layerNamed("probability"), hazard, layer.name === "probability" ? stop : lineStop());
  paths = { key: own, lines: own === null ? [] : linesOf(own, await want(own)) };
  return true;
}

// whether the window is shown, and some of it is known at some lead times only
function isPartly() {
  return state.stop === WINDOW && Boolean(page.partly[state.hazard]);
}

// the stop whose probability lines are drawn
function lineStop() {
  return frameOf(layerNamed("probability"), state.hazard, state.stop) === null ? WINDOW : state.stop;
}

const known = new Map();
function linesOf(number, codes) {
  if (!known.has(number)) {
    const found = page.levels.map((level) => ({
      level,
      lines: contours(codes, COLUMNS, ROWS, 200 * level - 1e-6, PARTLY),
    }));
    known.set(number, found);
  }
  return known.get(number);
}

function draw() {
  if (!drawn) drawn = requestAnimationFrame(() => { drawn = 0; render(); });
}

function render() {
  const { width, height } = size();
  const scale = window.devicePixelRatio || 1;
  const wanted = [Math.round(width * scale), Math.round(height * scale)];
  if (canvas.width !== wanted[0] || canvas.height !== wanted[1]) [canvas.width, canvas.height] = wanted;
  pen.setTransform(scale, 0, 0, scale, 0, 0);
  pen.clearRect(0, 0, width, height);
  pen.save();
  pen.beginPath();
  pen.rect(across(0), down(0), page.columns * state.zoom, page.rows * state.zoom * page.aspect);
  pen.fillStyle = color("--paper");
  pen.fill();
  pen.clip();
  pen.imageSmoothingEnabled = state.zoom * page.factor * scale < 1;
  pen.drawImage(picture, across(0), down(0), COLUMNS * page.factor * state.zoom, ROWS * page.factor * state.zoom * page.aspect);
  if (isPartly()) drawHatch(width, height, scale);
  const names = drawGrid(width, height);
  if (state.lines) drawLines(width, height, names);
  pen.restore();
  drawNames(names, width, height);
  drawPlaces();
  drawPin();
  drawScale(width, height);
}

function drawHatch(width, height, scale) {
  [veil.width, veil.height] = [Math.round(width * scale), Math.round(height * scale)];
  const ink = veil.getContext("2d");
  ink.setTransform(scale, 0, 0, scale, 0, 0);
  ink.strokeStyle = "#8795a1";
  ink.lineWidth = 1;
  ink.beginPath();
  for (let x = -height; x < width; x += 8) {
    ink.moveTo(x, height);
    ink.lineTo(x + height, 0);
  }
  ink.stroke();
  ink.globalCompositeOperation = "destination-in";
  ink.imageSmoothingEnabled = false;
  ink.drawImage(mask, across(0), down(0), COLUMNS * page.factor * state.zoom, ROWS * page.factor * state.zoom * page.aspect);
  pen.drawImage(veil, 0, 0, width, height);
}

function drawGrid(width, height) {
  const [top, left] = [Math.max(rowAt(0), 0), Math.max(columnAt(0), 0)];
  const [bottom, right] = [Math.min(rowAt(height), page.rows), Math.min(columnAt(width), page.columns)];
  if (bottom <= top || right <= left) return [];
  const [wide, high] = [across(right) - across(left), down(bottom) - down(top)];
  const wanted = { parallels: Math.max(2, high / 130), meridians: Math.max(2, wide / 150) };
  let lines = graticule(top, left, bottom, right, wanted);
  if (!lines.length) lines = rulers(top, left, bottom, right, wanted);
  pen.strokeStyle = "rgb(31 41 51 / 16%)";
  pen.lineWidth = 1;
  const names = [];
  for (const { points, name, upright } of lines) {
    const at = points.map(([column, row]) => [across(column), down(row)]);
    trace(at);
    pen.stroke();
    // a parallel is named at its left end, a meridian at its lower one
    const end = upright ? at.reduce((a, b) => (b[1] > a[1] ? b : a)) : at.reduce((a, b) => (b[0] < a[0] ? b : a));
    const edge = upright ? Math.min(height, down(page.rows)) - end[1] : end[0] - Math.max(0, across(0));
    if (Math.abs(edge) < 12) names.push({ name, upright, x: end[0], y: end[1] });
  }
  return names;
}

function trace(points) {
  pen.beginPath();
  points.forEach(([x, y], number) => (number ? pen.lineTo(x, y) : pen.moveTo(x, y)));
}

function drawLines(width, height, names) {
  const taken = names.map(({ upright, x, y }) => (upright ? [x, Math.min(y, height) - 10] : [Math.max(x, 0) + 25, y - 9]));
  const bold = page.levels.includes(0.5) ? 0.5 : null;
  const every = paths.lines.map(({ level, lines }) => ({
    level,
    lines: lines
      .map((line) => line.map(([column, row]) => [across(column * page.factor), down(row * page.factor)]))
      .filter((line) => line.some(([x, y]) => x > 0 && y > 0 && x < width && y < height) && length(line) > 7),
  }));
  const quiet = state.layer.name !== "probability";
  const thin = quiet ? 0.7 : Math.min(Math.max(0.55 + 0.25 * state.zoom * page.factor, 0.6), 1);
  pen.lineJoin = "round";
  for (const [halo, style] of [[true, "rgb(255 255 255 / 60%)"], [false, "#1f2933"]]) {
    if (quiet && halo) continue;
    pen.strokeStyle = style;
    for (const { level, lines } of every) {
      pen.lineWidth = thin * (level === bold ? 1.6 : 0.9) + (halo ? 1.6 : 0);
      for (const line of lines) {
        trace(line);
        pen.stroke();
      }
    }
  }
  if (quiet) return;
  for (const { level, lines } of every) {
    const longest = lines.map((line) => [length(line), line]).filter(([reach]) => reach > 110);
    longest.sort((one, other) => other[0] - one[0]);
    for (const [, line] of longest.slice(0, 6)) label(line, `${Number((100 * level).toPrecision(3))} %`, taken, width, height);
  }
}

function length(line) {
  let sum = 0;
  for (let at = 1; at < line.length; at += 1) sum += Math.hypot(line[at][0] - line[at - 1][0], line[at][1] - line[at - 1][1]);
  return sum;
}

// write along a line where it is straight, in view and free
function label(line, text, taken, width, height) {
  let best = null;
  const reach = Math.max(1, Math.floor(line.length / 40));
  for (let at = 0; at < line.length; at += reach) {
    const [x, y] = line[at];
    if (x < 30 || y < 20 || x > width - 30 || y > height - 20) continue;
    if (taken.some(([a, b]) => Math.hypot(a - x, b - y) < 46)) continue;
    let [from, to] = [at, at];
    while (from > 0 && Math.hypot(line[from][0] - x, line[from][1] - y) < 16) from -= 1;
    while (to < line.length - 1 && Math.hypot(line[to][0] - x, line[to][1] - y) < 16) to += 1;
    const walked = length(line.slice(from, to + 1));
    const [dx, dy] = [line[to][0] - line[from][0], line[to][1] - line[from][1]];
    const straight = walked > 24 ? Math.hypot(dx, dy) / walked : 0;
    if (straight > 0.75 && (!best || straight > best.straight)) best = { x, y, straight, turn: Math.atan2(dy, dx) };
  }
  if (!best) return;
  taken.push([best.x, best.y]);
  pen.save();
  pen.translate(best.x, best.y);
  pen.rotate(Math.abs(best.turn) > Math.PI / 2 ? best.turn + Math.PI : best.turn);
  written(text, 0, 0, { font: "600 10.5px system-ui, sans-serif", fill: "#1f2933", halo: "rgb(255 255 255 / 85%)" });
  pen.restore();
}

function written(text, x, y, { font, fill, halo, align = "center", base = "middle" }) {
  pen.font = font;
  pen.textAlign = align;
  pen.textBaseline = base;
  pen.lineJoin = "round";
  pen.lineWidth = 3.5;
  pen.strokeStyle = halo;
  pen.strokeText(text, x, y);
  pen.fillStyle = fill;
  pen.fillText(text, x, y);
}

function drawNames(names, width, height) {
  const look = { font: "11px system-ui, sans-serif", fill: "#52606d", halo: "rgb(255 255 255 / 80%)" };
  const taken = [];
  pen.font = look.font;
  for (const { name, upright, x, y } of names) {
    const wide = pen.measureText(name).width;
    const [left, base] = upright ? [x - wide / 2, Math.min(y, height) - 4] : [Math.max(x, 0) + 5, y - 3];
    const seen = upright ? x > 130 && x < width - 24 : y > 20 && y < height - 64;
    // names that would run into each other are left out
    if (!seen || taken.some((box) => left < box.right + 6 && left + wide > box.left - 6 && Math.abs(base - box.base) < 14)) continue;
    taken.push({ left, right: left + wide, base });
    written(name, left, base, { ...look, align: "left", base: "bottom" });
  }
}

function drawPlaces() {
  for (const { name, row, column } of page.places) {
    const [x, y] = [across(column), down(row)];
    pen.beginPath();
    pen.arc(x, y, 3, 0, 2 * Math.PI);
    pen.fillStyle = "#1f2933";
    pen.fill();
    pen.lineWidth = 1.5;
    pen.strokeStyle = "#ffffff";
    pen.stroke();
    written(name, x + 7, y, { font: "600 12px system-ui, sans-serif", fill: "#1f2933", halo: "rgb(255 255 255 / 90%)", align: "left" });
  }
}

function drawPin() {
  if (!state.pin) return;
  const [x, y] = [across(state.pin.column), down(state.pin.row)];
  for (const [wide, style] of [[4.5, "#ffffff"], [2, "#d55e00"]]) {
    pen.lineWidth = wide;
    pen.strokeStyle = style;
    pen.beginPath();
    pen.arc(x, y, 7, 0, 2 * Math.PI);
    for (const [dx, dy] of [[1, 0], [-1, 0], [0, 1], [0, -1]]) {
      pen.moveTo(x + 7 * dx, y + 7 * dy);
      pen.lineTo(x + 12 * dx, y + 12 * dy);
    }
    pen.stroke();
  }
}

function chip(x, y, width, height) {
  pen.beginPath();
  pen.roundRect(x, y, width, height, 7);
  pen.globalAlpha = 0.6;
  pen.fillStyle = color("--card");
  pen.fill();
  pen.globalAlpha = 1;
}

// a scale of kilometres as they are in the middle of the map, and where north is
function drawScale(width, height) {
  const row = Math.min(Math.max(state.row, 0.5), page.rows - 0.5);
  const column = Math.min(Math.max(state.column, 0.5), page.columns - 0.5);
  const pixel = between(row, column - 0.5, row, column + 0.5);
  const ink = color("--ink");
  const plain = { font: "600 11px system-ui, sans-serif", fill: ink, halo: "transparent" };
  if (Number.isFinite(pixel) && pixel > 0) {
    const long = nice((60 * pixel) / state.zoom);
    const wide = (long / pixel) * state.zoom;
    const [x, y] = [22, height - 22];
    chip(x - 10, y - 24, wide + 20, 34);
    pen.lineWidth = 1.8;
    pen.strokeStyle = ink;
    trace([[x, y - 5], [x, y], [x + wide, y], [x + wide, y - 5]]);
    pen.stroke();
    const text = long < 1 ? `${Number((1000 * long).toPrecision(3))} m` : `${Number(long.toPrecision(3))} km`;
    written(text, x + wide / 2, y - 6, { ...plain, base: "bottom" });
    canvas.dataset.scale = text;
    canvas.dataset.scaleWidth = wide.toFixed(2);
  }
  const turn = north(row, column);
  if (turn === null) return;
  chip(width - 44, height - 56, 32, 44);
  pen.save();
  pen.translate(width - 28, height - 37);
  pen.rotate(turn);
  trace([[0, -14], [6, 4], [0, 0], [-6, 4]]);
  pen.closePath();
  pen.fillStyle = ink;
  pen.fill();
  pen.restore();
  written("N", width - 28, height - 21, plain);
}
