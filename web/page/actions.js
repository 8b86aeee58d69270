// The bar of the selection, and the dialog that shows what an action will do, does it, and shows how far it is.

const EXPORTABLE = ["missing", "too-old", "due"];
const PRESENT = ["there", "unproven"];

function changed() {
  for (const card of cards.values()) card.heat.draw();
  showBar();
}

function showBar() {
  const bar = find("bar");
  const windows = selection.job && seen.jobs.get(selection.job);
  const size = windows ? selection.size() : 0;
  bar.hidden = !size;
  document.body.classList.toggle("selecting", size > 0);
  if (!size) { bar.replaceChildren(); return; }
  const counts = windows.counts(0, windows.count, selection.among);
  const first = selection.among.indexOf(1);
  const last = selection.among.lastIndexOf(1);
  const sum = (states) => states.reduce((all, state) => all + (counts[state] ?? 0), 0);
  const [lacking, present] = [sum(EXPORTABLE), windows.kind === "run" ? 0 : sum(PRESENT)];
  bar.replaceChildren(
    make("div.chosen", {}, make("strong", {}, `${many(size, "window")} of ${selection.job}`), make("span", {}, windows.span(first, last))),
    make("div.chips", { role: "group", "aria-label": "Select only the windows of one state" }, chipsOf(counts, (state) => cards.get(selection.job).selectState(state))),
    make("div.acts", {},
      lacking && windows.kind !== "run" ? button(`Export ${number.format(lacking)}`, () => planExports(windows), "primary") : null,
      counts.dead ? button(`Replay ${number.format(counts.dead)}`, () => planDead(windows), lacking ? "" : "primary") : null,
      ...moreActs(windows, counts),
      present ? button(`Export ${number.format(present)} again`, () => planAgain(windows), "quiet") : null,
      button("Clear", () => { selection.clear(); changed(); }, "quiet")));
}

const selectedStarts = (windows, states) => {
  const found = new Set();
  selection.among.forEach((one, i) => one && states.includes(windows.state(i)) && found.add(windows.starts[i]));
  return found;
};

// The selected windows that are in one of the states, as the API takes them.
const orderOf = (windows, states) => ({ job: windows.job, windows: windows.ranges(Uint8Array.from(selection.among, (one, i) => (one && states.includes(windows.state(i)) ? 1 : 0))) });

const planExports = (windows) => planBackfill(orderOf(windows, EXPORTABLE), selectedStarts(windows, EXPORTABLE));
const planAgain = (windows) => planReplacing(orderOf(windows, PRESENT));

function oneOf(found) {
  const windows = seen.jobs.get(found.job);
  const index = windows.starts.findIndex((_, i) => windows.start(i) === found.window);
  return [{ job: found.job, windows: [{ since: found.window, until: windows.end(index) }] }, new Set([windows.starts[index]])];
}

const planOne = (found) => planBackfill(...oneOf(found));
const planOneAgain = (found) => planReplacing(oneOf(found)[0]);
const spanOf = ({ first, last }) => (first === last ? first : `${first} to ${last}`).replaceAll("T", " ");

function planBackfill(order, starts) {
  plan({
    title: `Export windows of ${order.job}`,
    look: () => call("backfills", { ...order, dry_run: true }),
    says: (found) => [
      found.chosen ? `${many(found.chosen, "request")} will be sent to the queue: ${spanOf(found)}.` : "Nothing needs to be sent.",
      remainder(found),
    ],
    count: (found) => found.chosen,
    verb: (count) => `Send ${many(count, "request")}`,
    act: async () => { const done = await call("backfills", order); return `${many(done.sent, "request")} sent.`; },
    watch: () => watchOf(order.job, starts),
  });
}

// Exports what is there once more.
function planReplacing(order) {
  let id = null;
  plan({
    title: `Export windows of ${order.job} again`,
    isDangerous: true,
    look: () => call("backfills", { ...order, only: "all", dry_run: true }),
    says: (found) => [
      `${many(found.chosen, "window is", "windows are")} exported again: ${spanOf(found)}.`,
      "This replaces the blobs that are there. Each stays until its new export is whole; then its old contents are gone, and rows that the source has lost since are gone with them.",
    ],
    count: (found) => found.chosen,
    verb: (count) => `Replace ${many(count, "blob")}`,
    act: async () => { const done = await call("backfills", { ...order, only: "all" }); id = done.id; return `${many(done.sent, "request")} sent.`; },
    watch: () => watchOfBackfill(id),
  });
}

function remainder(found) {
  const words = { there: "are there", foreign: "have another blob", alive: "are on the queue", dead: "are dead letters", postponed: "are dead letters that are asked for again later", held: "cannot be told, since the queue is too long" };
  const rest = Object.entries(found.found).filter(([state, count]) => state !== "send" && count);
  return rest.length ? `Of ${many(found.windows, "window")}, ${rest.map(([state, count]) => `${number.format(count)} ${words[state] ?? state}`).join(", ")}; they are left alone.` : "";
}

async function planDead(windows) {
  const starts = selectedStarts(windows, ["dead"]);
  const wanted = new Set([...starts].map((start) => (windows.kind === "number" ? String(start) : written(start))));
  try {
    const dead = await call("dead-letters");
    const numbers = dead.groups.flatMap((group) => group.letters).filter((letter) => letter.job === windows.job && wanted.has(letter.window)).map((letter) => letter.sequence_number);
    planLetters("replay", { numbers }, `${many(numbers.length, "dead letter")} of ${windows.job}`, { job: windows.job, starts });
  } catch (error) {
    notify(error);
  }
}

function planLetters(verb, order, what, watched = null) {
  const does = verb === "replay" ? ["will be sent to the queue again, as its job is today", "Replay"] : ["will be deleted for good; ticks ask again for windows that lack a blob", "Drop"];
  plan({
    title: `${does[1]} ${what}`,
    isDangerous: verb === "drop",
    look: () => call(verb, { ...order, dry_run: true }),
    says: (found) => [`${many(found.left, "dead letter")} ${does[0]}.`, ...Object.entries(found.refused).slice(0, 5).map(([letter, why]) => `${letter} cannot be sent: ${why}.`)],
    count: (found) => found.left,
    verb: (count) => `${does[1]} ${number.format(count)}`,
    act: async (found, progress) => {
      let done = 0;
      let answer = null;
      do {
        answer = await call(verb, order.numbers ? { ...order, numbers: order.numbers } : order);
        done += answer.done;
        progress(done, found.left);
      } while (answer.left && answer.done);
      return `${many(done, "dead letter")} ${verb === "replay" ? "replayed" : "dropped"}.${answer.left ? ` ${number.format(answer.left)} could not be received: another process holds them.` : ""}`;
    },
    watch: () => watched && watchOf(watched.job, watched.starts),
  });
}

// Shows what an action would do; the button does it.
async function plan(action) {
  const dialog = find("dialog");
  const body = make("div.content", {}, make("p.muted", {}, "Looking at what it would do …"));
  const foot = make("footer", {}, button("Close", () => dialog.close(), "quiet"));
  dialog.replaceChildren(make("h2", { id: "dialog-title" }, action.title), body, foot);
  dialog.showModal();
  try {
    const found = await action.look();
    const count = action.count(found);
    body.replaceChildren(...action.says(found).filter(Boolean).map((text) => make("p", {}, text)));
    if (!count) return;
    const go = button(action.verb(count), () => carryOut(action, found, body, foot, go), action.isDangerous ? "danger" : "primary");
    foot.prepend(go);
    go.focus();
  } catch (error) {
    body.replaceChildren(problem(error));
  }
}

async function carryOut(action, found, body, foot, go) {
  go.disabled = true;
  body.querySelector(".problem")?.remove();
  const bar = make("progress", { "aria-label": action.title });
  body.append(bar);
  try {
    const says = await action.act(found, (done, all) => { bar.max = all; bar.value = done; });
    bar.max = 1;
    bar.value = 1;
    body.append(make("p.done", { role: "status" }, says));
    go.remove();
    look(true);
    const watch = action.watch?.();
    if (watch) follow(watch, body, bar);
  } catch (error) {
    bar.remove();
    body.append(problem(error));
    go.disabled = false;
  }
}

// How far the windows of an action have come: how many there are, are done, whether that is all, and what to say.
const watchOf = (job, starts) => () => {
  const windows = seen.jobs.get(job);
  if (!windows) return null;
  const counts = windows.counts(0, windows.count, Uint8Array.from(windows.starts, (start) => (starts.has(start) ? 1 : 0)));
  const done = PRESENT.reduce((sum, state) => sum + (counts[state] ?? 0), 0);
  const isOver = done === starts.size;
  const others = WORST.filter((state) => counts[state] && !PRESENT.includes(state)).map((state) => `${number.format(counts[state])} ${STATES[state].word}`);
  return { all: starts.size, done, isOver, says: isOver ? `All ${many(done, "window")} are there.` : `${number.format(done)} of ${many(starts.size, "window")} are there; ${others.join(", ")}.` };
};

// The same of a backfill whose windows were there before.
const watchOfBackfill = (id) => () => {
  const found = steered.backfills.find((one) => one.id === id);
  if (!found) return null;
  return { all: found.sent, done: found.done, isOver: !IN_PROGRESS.includes(found.state), says: `${progressOf(found)}.` };
};

// Shows it after each look, until it is over or the dialog closes.
function follow(watch, body, bar) {
  const says = make("p.muted", { role: "status" });
  body.append(says);
  const show = () => {
    const found = watch();
    if (!found || !find("dialog").open) return;
    bar.max = found.all;
    bar.value = found.done;
    if (says.textContent !== found.says) says.textContent = found.says;
    if (found.isOver) listeners.delete(show);
  };
  listeners.add(show);
  find("dialog").addEventListener("close", () => listeners.delete(show), { once: true });
}

function notify(error) {
  const dialog = find("dialog");
  dialog.replaceChildren(make("h2", { id: "dialog-title" }, "That did not work"), problem(error), make("footer", {}, button("Close", () => dialog.close(), "primary")));
  if (!dialog.open) dialog.showModal();
}
