// A card for each job: its state in words, its map, and what is wrong with it.

const cards = new Map();

function sentence(job) {
  const { counts } = job;
  const due = Object.values(counts).reduce((sum, count) => sum + count, 0) - counts["not-due"];
  const unit = unitOf(job.grid);
  if (!due) return "Nothing is due yet.";
  if (due === 1) return `The ${unit} is ${counts.there ? "" : "not "}there.`;
  if (counts.there === due) return `All ${many(due, unit)} are there.`;
  return `${number.format(counts.there)} of ${many(due, unit)} are there.`;
}

function about(job) {
  const { grid } = job;
  const parts = [job.source];
  if (grid) parts.push(grid.unit === "number" ? `${number.format(grid.count)} numbers of ${grid.column} a window` : `by ${grid.count === 1 ? grid.unit : many(grid.count, grid.unit)} of ${grid.column}${grid.timezone === "UTC" ? "" : `, ${grid.timezone}`}`);
  if (!job.is_scheduled) parts.push("on request only");
  return parts.join(" · ");
}

class Card {
  constructor(name) {
    this.name = name;
    this.title = make("h2", { id: `job-${name}` }, name);
    this.about = make("p.about");
    this.says = make("p.says");
    this.proofs = make("dl.proofs");
    this.switches = make("div.switches");
    this.chips = make("div.chips", { role: "group", "aria-label": `States of ${name}; press one to select its windows` });
    this.box = make("div.heat", { tabindex: "0", role: "application", "aria-labelledby": `job-${name}`, "aria-describedby": `says-${name}`, "aria-roledescription": "map of windows" });
    this.says.id = `says-${name}`;
    this.far = button("−", () => this.zoom(-1), "quiet.icon", { "aria-label": `Zoom ${name} out`, title: "Zoom out" });
    this.near = button("+", () => this.zoom(1), "quiet.icon", { "aria-label": `Zoom ${name} in`, title: "Zoom in" });
    this.gaps = make("ul.gaps", { "aria-label": `What is wrong with ${name}` });
    this.element = make("article.card", { "aria-labelledby": `job-${name}` },
      make("div.head", {}, make("div.names", {}, this.title, this.about), this.switches, make("div.zoom", {}, this.far, this.near)),
      this.says, this.proofs, this.chips, this.box, this.gaps);
    this.heat = new Heat(this.box);
    attach(this.heat, {
      open: (cell) => this.open(cell),
      select: (from, to, add) => this.select(from, to, add),
      dragging: (from, to) => announce(`${many(to - from, "window")} from ${this.windows.label(from)}`),
      zoom: (by, index) => this.zoom(by, index),
      clear: () => { selection.clear(); changed(); },
    });
  }

  get windows() { return seen.jobs.get(this.name); }

  zoom(by, index = null) {
    if (!this.windows) return;
    this.heat.zoom(by, index);
    this.reach();
  }

  reach() {
    const levels = levelsOf(this.windows);
    this.far.disabled = this.heat.level === 0;
    this.near.disabled = this.heat.level === levels.length - 1;
  }

  open(cell) {
    const { cells } = this.heat.layout;
    const from = cells.from(cell);
    if (cells.to(cell) - from === 1) openWindow(this.name, this.windows.start(from));
    else this.zoom(1, from);
  }

  select(from, to, add) {
    selection.begin(this.windows, add);
    const isOff = add && to - from === 1 && selection.among[from];
    selection.among.fill(isOff ? 0 : 1, from, to);
    announce(`${many(selection.size(), "window")} selected`);
    changed();
  }

  // The windows from one start to another: their places may change with each look.
  selectBetween(first, last) {
    const { starts } = this.windows;
    this.select(starts.indexOf(first), starts.indexOf(last) + 1, false);
  }

  // Of a selection only this state; without a selection, all windows of the state.
  selectState(state) {
    const { windows } = this;
    const inside = selection.job === this.name && selection.size() ? selection.among : null;
    const chosen = new Uint8Array(windows.count);
    for (let i = 0; i < windows.count; i += 1) chosen[i] = (!inside || inside[i]) && windows.state(i) === state ? 1 : 0;
    selection.job = this.name;
    selection.among = chosen;
    if (!selection.size()) selection.clear();
    changed();
  }

  // What is drawn next is drawn anew.
  forget() {
    this.heat.windows = null;
    this.chips.replaceChildren();
    this.gaps.replaceChildren();
  }

  update(status) {
    const { windows } = this;
    this.about.textContent = about(status);
    const late = status.lag_seconds > 0 ? ` The oldest that lacks its blob ended ${length(status.lag_seconds)} ago.` : "";
    this.says.textContent = sentence(status) + late;
    this.element.classList.toggle("wrong", !status.well);
    showSwitches(this.switches, status);
    renew(this.proofs, ...proofsOf(status));
    if (this.heat.windows === windows) return;
    renew(this.chips, ...chipsOf(windows.counts(), (state) => this.selectState(state)));
    renew(this.gaps, ...gapsOf(windows, this));
    this.heat.show(windows);
    if (this.heat.layout) this.reach();
  }
}

// What audits and drills have proven, or what would prove it.
function proofsOf({ job, verified_through: through, rows_before: before, last_audit_at: audited, last_proven_restorable: restorable }) {
  const ago = (at) => `${length((Date.now() - Date.parse(at)) / 1000)} ago`;
  const fact = (name, value, more, title) => make("div", { title }, make("dt", {}, name), make("dd", {}, value, more && make("span.muted", {}, more)));
  return [
    through ? fact("Verified through", through.replace("T", " "), audited && `, audited ${ago(audited)}`, "Up to here audits found every window equal to its source, row by row")
      : fact("Verified through", "nothing yet", audited && `, audited ${ago(audited)}`, `tailrace audit ${job} compares its windows with the source`),
    restorable ? fact("Last proven restorable", ago(restorable), null, instant(restorable))
      : fact("Last proven restorable", "never", null, `tailrace restore ${job} --check restores some of its windows and compares them`),
    before && fact("Not covered", `rows from ${before.split(" ")[0]} on`, null, `The source has rows that are older than all audited windows; tailrace status ${job} says how to export them`),
  ].filter(Boolean);
}

function chipsOf(counts, act) {
  return Object.keys(STATES).filter((state) => counts[state]).map((state) =>
    make("button.chip", { type: "button", onclick: () => act(state), title: STATES[state].says },
      swatch(state), make("strong", {}, number.format(counts[state])), ` ${STATES[state].word}`));
}

// Neighbouring windows with one trouble, the newest first.
function gapsOf(windows, card) {
  const found = [];
  for (let i = windows.count - 1; i >= 0 && found.length < 40; i -= 1) {
    const state = windows.state(i);
    if (!WRONG.includes(state)) continue;
    const to = i + 1;
    while (i > 0 && windows.states[i - 1] === windows.states[i] && windows.whys[i - 1] === windows.whys[i]) i -= 1;
    found.push({ from: i, to, state });
  }
  const rows = found.slice(0, 4).map(({ from, to, state }) => {
    const label = windows.span(from, to - 1);
    const [first, last] = [windows.starts[from], windows.starts[to - 1]];
    const act = () => (first === last ? openWindow(card.name, windows.start(from)) : card.selectBetween(first, last));
    const why = windows.why(from) ?? STATES[state].says;
    return make("li", {}, make("button.gap", { type: "button", onclick: act }, swatch(state),
      make("span.when", {}, label), make("span.what", {}, `${to - from > 1 ? `${number.format(to - from)} ` : ""}${STATES[state].word}`), make("span.why", {}, why)));
  });
  if (found.length > 4) rows.push(make("li.more", {}, `and ${found.length < 40 ? many(found.length - 4, "more range") : "many more ranges"}: press a state above to select them all`));
  return rows;
}

// Those in trouble come first. The order is that of the first look: cards must not move under somebody's hand.
const firstOrder = [];
function inOrder(jobs) {
  for (const isWell of [false, true]) for (const job of jobs) if (job.well === isWell && !firstOrder.includes(job.job)) firstOrder.push(job.job);
  return [...jobs].sort((a, b) => firstOrder.indexOf(a.job) - firstOrder.indexOf(b.job));
}

function showJobs() {
  const wanted = find("filter").value.trim().toLowerCase();
  const shownJobs = inOrder(seen.status.jobs).filter((job) => job.job.toLowerCase().includes(wanted));
  const box = find("jobs");
  for (const [name, card] of cards) if (!shownJobs.some((job) => job.job === name)) { card.element.remove(); }
  let place = 0;
  for (const job of shownJobs) {
    if (!cards.has(job.job)) cards.set(job.job, new Card(job.job));
    const card = cards.get(job.job);
    if (box.children[place] !== card.element) box.insertBefore(card.element, box.children[place] ?? null);
    place += 1;
    card.update(job);
  }
  box.querySelector(".empty")?.remove();
  if (!shownJobs.length) box.append(make("p.empty", {}, wanted ? `No job has “${wanted}” in its name.` : "jobs.toml has no job."));
}
