// From places of the map to latitudes and longitudes, by a net of points of the sphere.
const RADIUS = 6371;
const net = page.net && { ...page.net, points: new Float32Array(bytes(page.net.points).buffer) };

function onGlobe(row, column) {
  if (!net) return null;
  const u = Math.min(Math.max(row / page.rows, 0), 1) * (net.rows - 1);
  const v = Math.min(Math.max(column / page.columns, 0), 1) * (net.columns - 1);
  const i = Math.min(Math.floor(u), net.rows - 2);
  const j = Math.min(Math.floor(v), net.columns - 2);
  const point = [0, 0, 0];
  for (const [di, dj, share] of [
    [0, 0, (1 - u + i) * (1 - v + j)],
    [0, 1, (1 - u + i) * (v - j)],
    [1, 0, (u - i) * (1 - v + j)],
    [1, 1, (u - i) * (v - j)],
  ]) {
    if (share === 0) continue;
    const at = 3 * ((i + di) * net.columns + j + dj);
    for (let axis = 0; axis < 3; axis += 1) point[axis] += share * net.points[at + axis];
  }
  const length = Math.hypot(...point);
  return length > 0 ? point.map((part) => part / length) : null;
}

// latitude and longitude [degrees], or null where they are not known
function located(row, column) {
  if (page.kind === "degree" && !page.turned) {
    const longitude = page.x[0] + (column - 0.5) * page.x[1];
    return { latitude: page.y[0] + (row - 0.5) * page.y[1], longitude: wrapped(longitude) };
  }
  const point = onGlobe(row, column);
  if (!point) return null;
  return {
    latitude: (Math.asin(Math.min(Math.max(point[2], -1), 1)) * 180) / Math.PI,
    longitude: (Math.atan2(point[1], point[0]) * 180) / Math.PI,
  };
}

function wrapped(degrees) {
  return ((((degrees + 180) % 360) + 360) % 360) - 180;
}

// kilometres on the ground from one place to another that is near
function between(row, column, toRow, toColumn) {
  const one = onGlobe(row, column);
  const other = onGlobe(toRow, toColumn);
  if (one && other) return RADIUS * Math.hypot(...one.map((part, axis) => part - other[axis]));
  if (page.kind !== "metre") return NaN;
  return Math.hypot((row - toRow) * page.y[1], (column - toColumn) * page.x[1]) / 1000;
}

// which way north is: the angle from up, to the right, or null
function north(row, column) {
  const reach = 0.02 * Math.min(page.rows, page.columns);
  const [r, c] = [
    Math.min(Math.max(row, reach), page.rows - reach),
    Math.min(Math.max(column, reach), page.columns - reach),
  ];
  const [here, up, right] = [located(r, c), located(r - reach, c), located(r, c + reach)];
  if (!here || !up || !right) return null;
  return Math.atan2(right.latitude - here.latitude, up.latitude - here.latitude);
}

const SPACINGS = [30, 15, 10, 5, 2, 1, 0.5, 0.2, 0.1, 0.05, 0.02, 0.01, 0.005, 0.002, 0.001];

function degrees(value, ends) {
  const size = Math.abs(Number(value.toFixed(4)));
  if (size === 0) return "0°";
  return `${size}° ${ends[value < 0 ? 1 : 0]}`;
}

// meridians and parallels of a part of the map: lines with their names
function graticule(top, left, bottom, right, wanted) {
  const count = 41;
  const rows = Array.from({ length: count }, (_, k) => top + ((bottom - top) * k) / (count - 1));
  const columns = Array.from({ length: count }, (_, k) => left + ((right - left) * k) / (count - 1));
  const spots = rows.flatMap((row) => columns.map((column) => located(row, column)));
  if (spots.some((spot) => !spot || !Number.isFinite(spot.latitude))) return [];
  const latitudes = Float64Array.from(spots, (spot) => spot.latitude);
  const middle = spots[(count * count - 1) / 2].longitude;
  const longitudes = Float64Array.from(spots, (spot) => wrapped(spot.longitude - middle));
  const found = [];
  const draw = (values, base, ends, shown) => {
    const low = Math.min(...values) + base;
    const high = Math.max(...values) + base;
    const spacing = SPACINGS.filter((each) => (high - low) / each <= shown).pop();
    if (spacing === undefined || high - low > 300) return;
    for (let number = Math.ceil(low / spacing); number * spacing <= high; number += 1) {
      const level = number * spacing;
      for (const line of contours(values, count, count, level - base, Infinity)) {
        const points = line.map(([u, v]) => [
          left + ((right - left) * (u - 0.5)) / (count - 1),
          top + ((bottom - top) * (v - 0.5)) / (count - 1),
        ]);
        found.push({ points, name: degrees(ends === "NS" ? level : wrapped(level), ends), upright: ends === "EW" });
      }
    }
  };
  draw(latitudes, 0, "NS", wanted.parallels);
  draw(longitudes, middle, "EW", wanted.meridians);
  return found;
}

// straight lines of the coordinates, where latitudes are not known
function rulers(top, left, bottom, right, wanted) {
  const unit = page.kind === "metre" ? 1000 : 1;
  const name = page.kind === "metre" ? " km" : "";
  const found = [];
  for (const [axis, low, high, shown] of [["y", top, bottom, wanted.parallels], ["x", left, right, wanted.meridians]]) {
    const [start, step] = page[axis];
    const ends = [low, high].map((at) => (start + (at - 0.5) * step) / unit).sort((a, b) => a - b);
    const spacing = nice((ends[1] - ends[0]) / shown);
    for (let number = Math.ceil(ends[0] / spacing); number * spacing <= ends[1]; number += 1) {
      const at = (number * spacing * unit - start) / step + 0.5;
      const text = `${axis} ${Number((number * spacing).toPrecision(6))}${name}`.replace("-", "−");
      const points = axis === "y" ? [[left, at], [right, at]] : [[at, top], [at, bottom]];
      found.push({ points, name: text, upright: axis === "x" });
    }
  }
  return found;
}

// the least of 1, 2, 5, 10, 20, ... that is not below a number
function nice(least) {
  const power = 10 ** Math.floor(Math.log10(least));
  return [1, 2, 5, 10].map((step) => step * power).find((step) => step >= least * 0.999999) || 10 * power;
}
