// The fields of the page: codes of one byte, unpacked when they are first wanted.
const page = JSON.parse(document.getElementById("page").textContent);
const MISSING = 255;
const NEVER = 254;
const PARTLY = 253; // of a probability of the window: only some lead times are known
const ROWS = Math.ceil(page.rows / page.factor);
const COLUMNS = Math.ceil(page.columns / page.factor);
const WINDOW = page.stops.length - 1;

const asked = new Map();
const fields = new Map();

function bytes(text) {
  return Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
}

async function unpack(number) {
  const text = document.getElementById(`frame-${number}`).textContent;
  const packed = new Blob([bytes(text.slice(1))]).stream();
  const stream = packed.pipeThrough(new DecompressionStream("deflate"));
  const codes = new Uint8Array(await new Response(stream).arrayBuffer());
  if (text[0] === "d") {
    for (let start = 0; start < codes.length; start += COLUMNS) {
      for (let at = start + 1; at < start + COLUMNS; at += 1) codes[at] += codes[at - 1];
    }
  }
  fields.set(number, codes);
  return codes;
}

function want(number) {
  if (!asked.has(number)) asked.set(number, unpack(number));
  return asked.get(number);
}

function layerNamed(name) {
  return page.layers.find((layer) => layer.name === name);
}

// the number of a layer's frame at a stop, or null; of the window where it has no other
function frameOf(layer, hazard, stop) {
  if (!layer) return null;
  const row = layer.frames[layer.byHazard ? hazard : 0];
  if (!row) return null;
  return row[stop];
}

function stopsOf(layer) {
  const row = layer.frames[0];
  return row.map((number, stop) => (number === null ? -1 : stop)).filter((stop) => stop >= 0);
}

function codeAt(layer, hazard, stop, cell) {
  const number = frameOf(layer, hazard, stop);
  const codes = number === null ? undefined : fields.get(number);
  return codes === undefined ? null : codes[cell];
}

function inWords(value) {
  if (value === 0) return "0";
  const text = Math.abs(value) >= 1000 ? String(Math.round(value)) : String(Number(value.toPrecision(3)));
  return text.replace("-", "−");
}

// a value of a layer's table; its first above 0 stands for all that are smaller
function worth(layer, code) {
  if (layer.faint && code === 1) return `under ${inWords(layer.table[2])}`;
  return inWords(layer.table[code]);
}

function percent(code) {
  if (code === 1) return "under 1 %";
  if (code === 199) return "over 99 %";
  return `${code / 2} %`;
}

// a code in words; null where the field is not there or not unpacked
function said(layer, code) {
  if (code === null) return null;
  if (code === MISSING) return "no data";
  if (code === NEVER) return "in no member";
  if (layer.name === "probability") return code === PARTLY ? "known at some lead times only" : percent(code);
  const value = worth(layer, code);
  if (layer.name.startsWith("arrival")) return `+${value} min`;
  return layer.units ? `${value} ${layer.units}` : value;
}
