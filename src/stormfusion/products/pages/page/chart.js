// The probability of each hazard at a point, by lead time.
const CURVES = 6;
const curveColor = (number) => `var(--curve-${number % CURVES})`;
const SVG = "http://www.w3.org/2000/svg";

function shape(parent, name, attributes, text) {
  const made = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  if (text !== undefined) made.textContent = text;
  parent.append(made);
  return made;
}

// curves: [{ name, values }], a value of null is a gap; now: the number of the lead shown
function chart(box, leads, curves, now) {
  box.replaceChildren();
  if (leads.length < 2 || !curves.length) return;
  const [width, height] = [300, 118];
  const [left, right, top, bottom] = [38, 8, 8, 22];
  const span = leads[leads.length - 1] - leads[0] || 1;
  const x = (lead) => left + ((width - left - right) * (lead - leads[0])) / span;
  const y = (share) => height - bottom - (height - top - bottom) * share;
  const words = curves.map(({ name, values }) => {
    const known = values.filter((value) => value !== null);
    const most = known.length ? Math.max(...known) : null;
    return most === null ? `${name}: no data` : `${name}: at most ${Math.round(100 * most)} %`;
  });
  const svg = shape(box, "svg", {
    viewBox: `0 0 ${width} ${height}`,
    role: "img",
    "aria-label": `Probability by lead time. ${words.join("; ")}`,
  });
  for (const share of [0, 0.5, 1]) {
    shape(svg, "line", { class: "grid", x1: left, x2: width - right, y1: y(share), y2: y(share) });
    shape(svg, "text", { x: left - 5, y: y(share) + 3.5, "text-anchor": "end" }, `${100 * share} %`);
  }
  for (const place of [0, Math.floor((leads.length - 1) / 2), leads.length - 1]) {
    const anchor = place === 0 ? "start" : place === leads.length - 1 ? "end" : "middle";
    shape(svg, "text", { x: x(leads[place]), y: height - 6, "text-anchor": anchor }, `+${leads[place]} min`);
  }
  if (now < leads.length) shape(svg, "line", { class: "now", x1: x(leads[now]), x2: x(leads[now]), y1: top, y2: height - bottom });
  curves.forEach(({ values, color }) => {
    let path = "";
    let open = false;
    values.forEach((value, place) => {
      if (value !== null) path += `${open ? "L" : "M"}${x(leads[place]).toFixed(1)} ${y(value).toFixed(1)}`;
      open = value !== null;
    });
    if (path) shape(svg, "path", { class: "curve", d: path }).style.stroke = color;
    if (now < leads.length && values[now] !== null) shape(svg, "circle", { cx: x(leads[now]), cy: y(values[now]), r: 3 }).style.fill = color;
  });
}
