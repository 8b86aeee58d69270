// A map of windows on a canvas. Only what is in view is drawn, so that 100,000 windows cost what a screen costs.

const colours = {};
function readColours() {
  const style = getComputedStyle(document.documentElement);
  for (const name of [...Object.keys(STATES), "ink", "muted", "focus", "surface", "select"]) colours[name] = style.getPropertyValue(`--${name}`).trim();
}

class Heat {
  constructor(box) {
    this.box = box;
    this.spacer = make("div.spacer");
    this.canvas = make("canvas", { "aria-hidden": "true" });
    this.box.append(this.canvas, this.spacer);
    this.level = null;
    this.cursor = null;
    this.dragged = null;
    this.drawing = 0;
    this.box.addEventListener("scroll", () => this.draw(), { passive: true });
    new ResizeObserver(() => this.arrange()).observe(this.box);
  }

  show(windows) {
    const before = this.windows;
    this.windows = windows;
    if (before && before.count !== windows.count) this.cursor = null;
    this.arrange();
  }

  zoom(by, index = null) {
    const levels = levelsOf(this.windows);
    const level = Math.max(0, Math.min(levels.length - 1, this.level + by));
    if (level === this.level) return false;
    const held = index ?? this.middle();
    this.level = level;
    this.arrange();
    this.centre(this.layout.cells.of(held));
    return true;
  }

  // The window that stays in view while the map is zoomed: the cursor's, or the newest, or one in the middle.
  middle() {
    const { cells } = this.layout;
    const last = cells.count - 1;
    const [from, to] = this.layout.between(this.box.scrollTop, this.box.scrollTop + this.view);
    if (this.cursor !== null && this.cursor >= from && this.cursor < to) return cells.from(this.cursor);
    const isAtEnd = this.box.scrollTop + this.view >= this.layout.height - 2;
    return cells.from(Math.max(0, Math.min(last, isAtEnd ? last : (from + to) >> 1)));
  }

  centre(cell) {
    if (this.cursor !== null) this.cursor = cell;
    this.box.scrollTop = this.layout.place(cell).y - this.view / 2;
    this.draw();
  }

  arrange() {
    const width = this.box.clientWidth;
    if (!this.windows || !width) return;
    const levels = levelsOf(this.windows);
    const isNew = this.level === null;
    this.level = isNew ? firstLevel(this.windows, width) : Math.min(this.level, levels.length - 1);
    this.layout = layoutOf(this.windows, width, levels[this.level]);
    this.view = Math.min(this.layout.height, 330);
    this.box.style.height = `${this.view}px`;
    this.spacer.style.height = `${Math.max(0, this.layout.height - this.view)}px`;
    this.canvas.style.height = `${this.view}px`;
    const scale = devicePixelRatio || 1;
    this.canvas.width = Math.round(width * scale);
    this.canvas.height = Math.round(this.view * scale);
    // What is newest is what people look for.
    if (isNew) this.box.scrollTop = this.layout.height;
    this.draw();
  }

  draw() {
    if (this.drawing) return;
    this.drawing = requestAnimationFrame(() => { this.drawing = 0; this.paint(); });
  }

  paint() {
    if (!this.layout) return;
    const top = this.box.scrollTop;
    const context = this.canvas.getContext("2d");
    const scale = devicePixelRatio || 1;
    context.setTransform(scale, 0, 0, scale, 0, 0);
    context.clearRect(0, 0, this.box.clientWidth, this.view);
    context.translate(0, -top);
    context.font = "11px system-ui, sans-serif";
    context.fillStyle = colours.muted;
    for (const label of this.layout.labels(top, top + this.view)) context.fillText(label.text, label.x, label.y);
    const [from, to] = this.layout.between(top, top + this.view);
    for (let cell = from; cell < to; cell += 1) this.cell(context, cell);
    if (this.cursor !== null && this.box.matches(":focus-visible")) this.frame(context, this.cursor, colours.focus, 2.5);
  }

  // Where a cell is drawn, without the gap to its neighbours.
  spot(cell) {
    const { size, wide } = this.layout;
    const gap = size > 12 ? 3 : size > 8 ? 2 : 1;
    return { ...this.layout.place(cell), width: wide - gap, height: size - gap };
  }

  cell(context, cell) {
    const { cells } = this.layout;
    const spot = this.spot(cell);
    if (cells.isSingle) mark(context, this.windows.state(cell), spot);
    else this.mixed(context, cell, spot);
    if (this.isSelected(cell)) this.frame(context, cell, colours.select, 2);
  }

  // Several windows: above is the share of the worst state, below what most of the others are.
  mixed(context, cell, spot) {
    const [from, to] = [this.layout.cells.from(cell), this.layout.cells.to(cell)];
    const counts = this.windows.counts(from, to);
    const [bad, ...others] = WORST.filter((name) => counts[name]);
    if (!others.length) { mark(context, bad, spot); return; }
    mark(context, others.reduce((most, name) => (counts[name] > counts[most] ? name : most)), spot, false);
    const share = Math.max(0.34, Math.min(0.85, counts[bad] / (to - from)));
    const part = { ...spot, height: spot.height * share };
    context.fillStyle = colours.surface;
    context.fillRect(spot.x, spot.y, spot.width, part.height + 1);
    mark(context, bad, part, false);
  }

  isSelected(cell) {
    const { cells } = this.layout;
    const [from, to] = [cells.from(cell), cells.to(cell)];
    if (this.dragged && from < this.dragged[1] && to > this.dragged[0]) return true;
    if (selection.job !== this.windows.job || !selection.among) return false;
    for (let i = from; i < to; i += 1) if (selection.among[i]) return true;
    return false;
  }

  frame(context, cell, colour, line) {
    const { x, y, width, height } = this.spot(cell);
    context.strokeStyle = colour;
    context.lineWidth = height > 7 ? line : 1.5;
    context.beginPath();
    context.roundRect(x - 0.5, y - 0.5, width + 1, height + 1, height > 8 ? 3.5 : 1);
    context.stroke();
  }

  cellAt(event) {
    const place = this.box.getBoundingClientRect();
    return this.layout ? this.layout.at(event.clientX - place.left, event.clientY - place.top + this.box.scrollTop) : -1;
  }

  // The windows that a label stands for: those of a month, or of a row.
  labelled(event) {
    const place = this.box.getBoundingClientRect();
    const x = event.clientX - place.left;
    const y = event.clientY - place.top + this.box.scrollTop;
    const label = this.layout?.labels(this.box.scrollTop, this.box.scrollTop + this.view).find((one) => one.to !== undefined && x >= one.x - 2 && x < one.x + one.text.length * 6.6 && y > one.y - 13 && y < one.y + 4);
    if (!label) return null;
    const first = this.windows.starts.findIndex((start) => start >= label.from);
    const end = this.windows.starts.findIndex((start) => start >= label.to);
    return first < 0 ? null : [first, end < 0 ? this.windows.count : end];
  }

  reveal(cell) {
    const { y } = this.layout.place(cell);
    if (y < this.box.scrollTop + 24) this.box.scrollTop = y - 24;
    else if (y + this.layout.size > this.box.scrollTop + this.view) this.box.scrollTop = y + this.layout.size + 8 - this.view;
    this.draw();
  }
}

// A state's colour and, if there is room, its sign: nobody has to tell colours apart.
function mark(context, state, { x, y, width, height }, hasSign = true) {
  const small = Math.min(width, height);
  const radius = small > 8 ? 3 : small > 5 ? 2 : 1;
  context.beginPath();
  if (state === "missing" || state === "due" || state === "too-old") {
    context.roundRect(x + 1, y + 1, width - 2, height - 2, radius);
    context.lineWidth = small > 8 ? 2 : 1.5;
    context.strokeStyle = colours[state];
    context.setLineDash(state === "due" ? [2, 2] : []);
    context.stroke();
    context.setLineDash([]);
    if (state === "too-old") line(context, x + 2, y + height - 2, x + width - 2, y + 2);
    return;
  }
  context.roundRect(x, y, width, height, radius);
  context.fillStyle = colours[state];
  context.fill();
  if (hasSign && small >= 6) sign(context, state, x + (width - small) / 2, y + (height - small) / 2, small);
}

function sign(context, state, x, y, size) {
  context.strokeStyle = colours.surface;
  context.lineWidth = Math.max(1.4, size / 8);
  const at = (share, more) => [x + size * share, y + size * more];
  if (state === "dead") { line(context, ...at(0.3, 0.3), ...at(0.7, 0.7)); line(context, ...at(0.7, 0.3), ...at(0.3, 0.7)); }
  if (state === "foreign") { line(context, ...at(0.5, 0.22), ...at(0.5, 0.58)); dot(context, ...at(0.5, 0.78), size / 11); }
  if (state === "unproven") dot(context, ...at(0.5, 0.5), size / 6);
  if (state === "retrying") { line(context, ...at(0.3, 0.55), ...at(0.5, 0.35)); line(context, ...at(0.5, 0.35), ...at(0.7, 0.55)); }
  if (state === "waiting") line(context, ...at(0.3, 0.5), ...at(0.7, 0.5));
  if (state !== "running") return;
  context.beginPath();
  context.moveTo(...at(0.36, 0.28));
  context.lineTo(...at(0.72, 0.5));
  context.lineTo(...at(0.36, 0.72));
  context.fillStyle = colours.surface;
  context.fill();
}

function line(context, x0, y0, x1, y1) { context.beginPath(); context.moveTo(x0, y0); context.lineTo(x1, y1); context.stroke(); }
function dot(context, x, y, radius) { context.beginPath(); context.arc(x, y, radius, 0, 7); context.fillStyle = colours.surface; context.fill(); }

// The same signs in text.
function swatch(state) {
  const canvas = make("canvas.swatch", { "aria-hidden": "true", width: 28, height: 28 });
  const context = canvas.getContext("2d");
  context.scale(2, 2);
  mark(context, state, { x: 0.5, y: 0.5, width: 13, height: 13 });
  return canvas;
}
