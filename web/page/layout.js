// Pure: where windows are drawn. A layout has rows; a cell holds one window, or neighbours that are drawn as one.

const SIZES = [7, 10, 14, 19, 26];
const DAY = 86400;
const WEEK = 7;
const dayNumber = (seconds) => Math.floor(seconds / DAY);
// Monday is 0; 1 January 1970 was a Thursday.
const weekday = (day) => (((day + 3) % WEEK) + WEEK) % WEEK;

// The zoom levels of a job, from far to near: { bucket: windows in a cell or "day", size: pixels }.
function levelsOf(windows) {
  const unit = windows.grid?.unit;
  if (unit === "hour" || unit === "minute") {
    return [{ bucket: "day", size: 10 }, { bucket: "day", size: 15 }, { bucket: 1, size: 10 }, { bucket: 1, size: 15 }, { bucket: 1, size: 22 }];
  }
  const far = [1000, 100, 10].filter((bucket) => windows.kind !== "time" && windows.count > bucket * 60).map((bucket) => ({ bucket, size: 14 }));
  return [...far, ...SIZES.map((size) => ({ bucket: 1, size }))];
}

// The nearest level at which a map is not too high. On a phone fingers need larger windows; the newest are in view.
function firstLevel(windows, width) {
  const levels = levelsOf(windows);
  const most = width < 600 ? 380 : 190;
  for (let level = levels.length - 2; level > 0; level -= 1) {
    if (layoutOf(windows, width, levels[level]).height <= most) return level;
  }
  return 0;
}

function layoutOf(windows, width, level) {
  const cells = level.bucket === 1 ? each(windows) : level.bucket === "day" ? byDay(windows) : byCount(windows, level.bucket);
  const isCalendar = windows.kind === "time" && (level.bucket === "day" || (windows.grid.unit === "day" && windows.grid.count === 1));
  return isCalendar ? calendar(windows, cells, width, level.size) : rowsOf(windows, cells, width, level);
}

const each = (windows) => ({ count: windows.count, from: (cell) => cell, to: (cell) => cell + 1, of: (index) => index, isSingle: true });

function byCount(windows, size) {
  const count = Math.ceil(windows.count / size);
  return { count, from: (cell) => cell * size, to: (cell) => Math.min(windows.count, (cell + 1) * size), of: (index) => Math.floor(index / size), isSingle: false };
}

function byDay(windows) {
  const firsts = [];
  const of = new Uint32Array(windows.count);
  let last = null;
  for (let i = 0; i < windows.count; i += 1) {
    const day = dayNumber(windows.starts[i]);
    if (day !== last) { firsts.push(i); last = day; }
    of[i] = firsts.length - 1;
  }
  return { count: firsts.length, from: (cell) => firsts[cell], to: (cell) => firsts[cell + 1] ?? windows.count, of: (index) => of[index], isSingle: false };
}

// Weeks side by side, their days below each other, in bands as wide as the page.
function calendar(windows, cells, width, size) {
  const left = 34;
  const top = 18;
  const first = windows.count ? dayNumber(windows.starts[0]) : 0;
  const monday = first - weekday(first);
  const last = windows.count ? dayNumber(windows.starts[windows.count - 1]) : 0;
  const weeks = Math.floor((last - monday) / WEEK) + 1;
  const perBand = Math.max(1, Math.floor((width - left) / size));
  const band = top + WEEK * size + 8;
  const place = (day) => {
    const week = Math.floor((day - monday) / WEEK);
    return { x: left + (week % perBand) * size, y: Math.floor(week / perBand) * band + top + weekday(day) * size };
  };
  // Days follow each other, so that a cell is found by its day; a zone may have skipped one.
  const cellOf = (day) => nearest(cells, windows, day);
  return {
    cells, size, wide: size, height: Math.ceil(weeks / perBand) * band, step: { across: WEEK, down: 1 },
    place: (cell) => place(dayNumber(windows.starts[cells.from(cell)])),
    at: (x, y) => {
      const column = Math.floor((x - left) / size);
      const row = Math.floor(y / band);
      const inBand = Math.floor((y - row * band - top) / size);
      if (column < 0 || column >= perBand || inBand < 0 || inBand >= WEEK) return -1;
      return cellOf(monday + (row * perBand + column) * WEEK + inBand);
    },
    between: (y0, y1) => {
      const from = Math.max(0, Math.floor(y0 / band)) * perBand * WEEK + monday;
      const to = (Math.floor(y1 / band) + 1) * perBand * WEEK + monday;
      return [lower(cells, windows, from), lower(cells, windows, to)];
    },
    labels: (y0, y1) => calendarLabels({ width, monday, last, perBand, band, left, top, size, y0, y1 }),
  };
}

function lower(cells, windows, day) {
  let low = 0;
  let high = cells.count;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (dayNumber(windows.starts[cells.from(middle)]) < day) low = middle + 1; else high = middle;
  }
  return low;
}

function nearest(cells, windows, day) {
  const cell = lower(cells, windows, day);
  return cell < cells.count && dayNumber(windows.starts[cells.from(cell)]) === day ? cell : -1;
}

function calendarLabels({ width, monday, last, perBand, band, left, top, size, y0, y1 }) {
  const found = [];
  for (let row = Math.max(0, Math.floor(y0 / band)); row * band < y1; row += 1) {
    let free = 0;
    for (let column = 0; column < perBand; column += 1) {
      const day = monday + (row * perBand + column) * WEEK;
      if (day > last) break;
      const date = new Date(day * DAY * 1000);
      const isFirst = date.getUTCDate() <= 7 || column === 0;
      const x = left + column * size;
      if (!isFirst || x < free || x + 30 > width) continue;
      const isYear = date.getUTCMonth() === 0 || column === 0;
      const text = isYear ? `${MONTHS[date.getUTCMonth()]} ${date.getUTCFullYear()}` : MONTHS[date.getUTCMonth()];
      found.push({ x, y: row * band + 11, text, from: Date.UTC(date.getUTCFullYear(), date.getUTCMonth()) / 1000, to: Date.UTC(date.getUTCFullYear(), date.getUTCMonth() + 1) / 1000 });
      free = x + text.length * 6.6 + 6;
    }
    if (size >= 10) ["Mon", "Wed", "Fri"].forEach((text, i) => found.push({ x: 4, y: row * band + top + (i * 2 + 0.75) * size, text }));
  }
  return found;
}

// Rows as people count: a day of hours, a year of months, or as many as fit.
function rowsOf(windows, cells, width, level) {
  const { perRow, key, label } = rule(windows);
  const left = 92;
  const size = perRow && key ? Math.max(5, Math.min(level.size, Math.floor((width - left) / perRow))) : level.size;
  // A day of hours may be as wide as the page.
  const wide = key ? Math.max(size, Math.min(42, Math.floor((width - left) / perRow))) : size;
  const fits = Math.max(1, Math.floor((width - left) / size));
  const columns = key ? perRow : Math.min(nice(fits), Math.max(1, cells.count));
  const base = key && windows.count ? key(windows.starts[0]).row : 0;
  const spot = (cell) => {
    if (!key) return { row: Math.floor(cell / columns), column: cell % columns };
    const found = key(windows.starts[cells.from(cell)]);
    return { row: found.row - base, column: found.column };
  };
  const rows = cells.count ? spot(cells.count - 1).row + 1 : 0;
  const indexOf = (row, column) => {
    if (!key) return row * columns + column < cells.count ? row * columns + column : -1;
    let low = 0;
    let high = cells.count;
    while (low < high) {
      const middle = (low + high) >> 1;
      const there = spot(middle);
      if (there.row < row || (there.row === row && there.column < column)) low = middle + 1; else high = middle;
    }
    return low;
  };
  const exact = (row, column) => {
    const cell = indexOf(row, column);
    if (cell < 0 || cell >= cells.count) return -1;
    const there = spot(cell);
    return there.row === row && there.column === column ? cell : -1;
  };
  // Where the next row begins, by the start of its first window.
  const rowEnd = (row) => { const next = indexOf(row + 1, 0); return next >= 0 && next < cells.count ? windows.starts[cells.from(next)] : Infinity; };
  return {
    cells, size, wide, height: rows * size + 6, step: { across: 1, down: columns },
    place: (cell) => { const at = spot(cell); return { x: left + at.column * wide, y: 3 + at.row * size }; },
    at: (x, y) => {
      const column = Math.floor((x - left) / wide);
      const row = Math.floor((y - 3) / size);
      return column < 0 || column >= columns || row < 0 || row >= rows ? -1 : exact(row, column);
    },
    between: (y0, y1) => {
      const from = Math.max(0, Math.floor((y0 - 3) / size));
      const to = Math.min(rows, Math.ceil((y1 - 3) / size) + 1);
      return key ? [Math.max(0, indexOf(from, 0)), indexOf(to, 0)] : [Math.min(cells.count, from * columns), Math.min(cells.count, to * columns)];
    },
    labels: (y0, y1) => {
      const every = Math.max(1, Math.ceil(13 / size));
      const found = [];
      for (let row = Math.max(0, Math.floor(y0 / size)); row < rows && row * size < y1; row += 1) {
        if (row % every) continue;
        const first = indexOf(row, 0);
        if (first >= 0 && first < cells.count) found.push({ x: 4, y: 3 + row * size + Math.min(size - 1, size / 2 + 4), text: label(windows.starts[cells.from(first)]), from: windows.starts[cells.from(first)], to: rowEnd(row) });
      }
      return found;
    },
  };
}

const nice = (count) => [100, 50, 40, 30, 25, 20, 10].find((columns) => columns <= count) ?? count;

function rule(windows) {
  const unit = windows.grid?.unit;
  const count = windows.grid?.count ?? 1;
  const year = (at) => new Date(at * 1000).getUTCFullYear();
  if (windows.kind === "number") return { label: (at) => number.format(at) };
  if (unit === "month") {
    return { perRow: 12 / count, key: (at) => ({ row: year(at), column: Math.floor(new Date(at * 1000).getUTCMonth() / count) }), label: (at) => String(year(at)) };
  }
  const perDay = unit === "hour" ? 24 / count : unit === "minute" ? 1440 / count : 0;
  if (perDay && (perDay <= 96)) {
    return { perRow: perDay, key: (at) => ({ row: dayNumber(at), column: Math.floor((at % DAY) / (DAY / perDay)) }), label: dayOf };
  }
  if (perDay) {
    const perHour = 60 / count;
    return { perRow: perHour, key: (at) => ({ row: Math.floor(at / 3600), column: Math.floor((at % 3600) / (3600 / perHour)) }), label: (at) => written(at).slice(5).replace("T", " ") };
  }
  return { label: dayOf };
}
