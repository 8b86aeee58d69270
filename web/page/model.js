// What was seen: jobs, and each job's windows as two arrays, since there may be 100,000.

const seen = { status: null, jobs: new Map(), dead: null, at: 0, failed: null, flow: [] };

class Windows {
  constructor(packed, grid, text) {
    Object.assign(this, { text, job: packed.job, kind: packed.kind, grid, count: packed.windows, names: packed.states, reasons: packed.reasons });
    this.starts = new Float64Array(packed.windows);
    this.states = new Uint8Array(packed.windows);
    this.whys = new Int32Array(packed.windows);
    let at = 0;
    let start = packed.first ?? 0;
    if (packed.windows) this.starts[at++] = start;
    for (const [step, times] of packed.steps) for (let i = 0; i < times; i += 1) this.starts[at++] = start += step;
    at = 0;
    for (const [state, why, times] of packed.ranges) {
      this.states.fill(state, at, at + times);
      this.whys.fill(why, at, at += times);
    }
  }

  state(index) { return this.names[this.states[index]]; }
  why(index) { return this.reasons[this.whys[index]] ?? null; }
  start(index) { return this.kind === "number" ? String(this.starts[index]) : written(this.starts[index]); }

  // Where the next window begins, for a range that ends with this one.
  end(index) {
    if (index + 1 < this.count) return this.start(index + 1);
    if (this.kind === "number") return String(this.starts[index] + this.grid.count);
    return written(this.starts[index] + (this.grid ? { minute: 60, hour: 3600, day: 86400, week: 604800, month: 2764800 }[this.grid.unit] * this.grid.count : 1));
  }

  label(index) {
    const at = this.starts[index];
    if (this.kind === "number") return `${number.format(at)} to ${number.format(at + this.grid.count - 1)}`;
    const day = dayOf(at);
    return at % 86400 ? `${day}, ${new Date(at * 1000).toISOString().slice(11, 16)}` : day;
  }

  // Several windows that follow each other.
  span(first, last) {
    if (first === last) return this.label(first);
    return this.kind === "number" ? `${number.format(this.starts[first])} to ${number.format(this.starts[last] + this.grid.count - 1)}` : `${this.label(first)} – ${this.label(last)}`;
  }

  counts(from = 0, to = this.count, among = null) {
    const found = {};
    for (let i = from; i < to; i += 1) {
      if (among && !among[i]) continue;
      const name = this.names[this.states[i]];
      found[name] = (found[name] ?? 0) + 1;
    }
    return found;
  }

  // Neighbours that are selected, as half-open ranges for the API.
  ranges(among) {
    const found = [];
    for (let i = 0; i < this.count; i += 1) {
      if (!among[i]) continue;
      const first = i;
      while (i + 1 < this.count && among[i + 1]) i += 1;
      found.push({ since: this.start(first), until: this.end(i) });
    }
    return found;
  }
}

// One selection: windows of one job.
const selection = {
  job: null,
  among: null,
  clear() { this.job = null; this.among = null; },
  begin(windows, add) {
    if (!add || this.job !== windows.job || this.among?.length !== windows.count) this.among = new Uint8Array(windows.count);
    this.job = windows.job;
  },
  size() { return this.among ? this.among.reduce((sum, one) => sum + one, 0) : 0; },
  // After another look the job may have more windows: those selected are found by their starts.
  follow(before, after) {
    if (!this.among || this.job !== after.job) return;
    const starts = new Set();
    this.among.forEach((one, i) => one && starts.add(before.starts[i]));
    this.among = Uint8Array.from(after.starts, (start) => (starts.has(start) ? 1 : 0));
  },
};

function unitOf(grid) {
  if (!grid) return "run";
  if (grid.unit === "number") return "window";
  return grid.count === 1 ? grid.unit : "window";
}
