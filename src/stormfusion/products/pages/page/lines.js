// Lines of equal value by marching squares, joined from cell to cell.

// sides of a cell (0 top, 1 right, 2 bottom, 3 left) that a line joins, by which of its
// corners are inside (1 upper left, 2 upper right, 4 lower right, 8 lower left)
const JOINED = [
  [], [[3, 0]], [[0, 1]], [[3, 1]], [[1, 2]], null, [[0, 2]], [[3, 2]],
  [[2, 3]], [[2, 0]], null, [[2, 1]], [[1, 3]], [[1, 0]], [[0, 3]], [],
];
const SADDLES = {
  5: { apart: [[3, 0], [1, 2]], joined: [[0, 1], [2, 3]] },
  10: { apart: [[0, 1], [2, 3]], joined: [[3, 0], [1, 2]] },
};

let before = new Int32Array(0);
let after = new Int32Array(0);

// lines of values[row * width + column] >= level; a cell with a corner that is not below
// limit has none; points are in cells, 0.5 the middle of the first
function contours(values, width, height, level, limit) {
  const size = 2 * width * height;
  if (before.length < size) {
    before = new Int32Array(size).fill(-1);
    after = new Int32Array(size).fill(-1);
  }
  const touched = [];
  const join = (one, other) => {
    for (const [from, to] of [[one, other], [other, one]]) {
      if (before[from] < 0) {
        before[from] = to;
        touched.push(from);
      } else after[from] = to;
    }
  };
  for (let row = 0; row + 1 < height; row += 1) {
    for (let column = 0; column + 1 < width; column += 1) {
      const at = row * width + column;
      const a = values[at];
      const b = values[at + 1];
      const c = values[at + width + 1];
      const d = values[at + width];
      const corners = (a >= level) + 2 * (b >= level) + 4 * (c >= level) + 8 * (d >= level);
      if (corners === 0 || corners === 15) continue;
      if (!(a < limit && b < limit && c < limit && d < limit)) continue;
      const sides = [2 * at, 2 * (at + 1) + 1, 2 * (at + width), 2 * at + 1];
      let pairs = JOINED[corners];
      if (pairs === null) pairs = SADDLES[corners][a + b + c + d >= 4 * level ? "joined" : "apart"];
      for (const [from, to] of pairs) join(sides[from], sides[to]);
    }
  }
  const place = (side) => {
    const at = side >> 1;
    const row = Math.floor(at / width);
    const column = at % width;
    const other = side & 1 ? at + width : at + 1;
    const share = (level - values[at]) / (values[other] - values[at]);
    return side & 1 ? [column + 0.5, row + 0.5 + share] : [column + 0.5 + share, row + 0.5];
  };
  const found = [];
  const seen = new Set();
  const follow = (start) => {
    const line = [];
    let side = start;
    let last = -1;
    while (side >= 0 && !seen.has(side)) {
      seen.add(side);
      line.push(place(side));
      const next = before[side] === last ? after[side] : before[side];
      last = side;
      side = next;
    }
    const closed = side === start && line.length > 2;
    if (closed) line.push(line[0]);
    if (line.length > 1) found.push(line);
  };
  for (const side of touched) if (after[side] < 0 && !seen.has(side)) follow(side);
  for (const side of touched) if (!seen.has(side)) follow(side);
  for (const side of touched) before[side] = after[side] = -1;
  return found;
}
