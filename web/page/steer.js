// Pauses, backfills and cancels.

const steered = { paused: new Map(), backfills: [] };

async function lookMore() {
  await lookAtPauses();
  steered.backfills = (await call("backfills")).backfills;
  showBackfills();
}

async function lookAtPauses() {
  const paused = await call("pauses");
  steered.paused = new Map(paused.jobs.map((one) => [one.job, one.pause]));
  for (const job of seen.status.jobs) if (cards.has(job.job)) showSwitches(cards.get(job.job).switches, job);
}

function showSwitches(box, status) {
  const pause = steered.paused.get(status.job);
  renew(box, pause
    ? button("Resume", () => order("resume", { job: status.job }), "primary", {}, ` ${status.job}`)
    : button("Pause", () => askWhy(status.job), "quiet", {}, ` ${status.job}`));
  const card = box.closest(".card");
  card.querySelector(".paused")?.remove();
  if (!pause) return;
  const says = `Paused by ${pause.by} since ${instant(pause.at)}${pause.why ? `: ${pause.why}` : ""}. Ticks ask for nothing, and what waits is put off.`;
  card.querySelector(".proofs").after(make("p.paused", {}, says));
}

async function order(verb, body) {
  try { await call(verb, body); await lookAtPauses(); } catch (error) { notify(error); }
}

function askWhy(job) {
  const dialog = find("dialog");
  const field = make("input", { id: "why", maxlength: 1000, autocomplete: "off" });
  const go = (event) => { event.preventDefault(); dialog.close(); order("pause", { job, why: field.value || null }); };
  dialog.replaceChildren(make("form", { onsubmit: go },
    make("h2", { id: "dialog-title" }, `Pause ${job}`),
    make("p", {}, "Ticks will ask for nothing of it, and workers put off its messages, which costs no attempt. What runs is finished."),
    make("label", { for: "why" }, "Why, for whoever wonders later"), field,
    make("footer", {}, make("button.primary", { type: "submit" }, "Pause it"), button("Close", () => dialog.close(), "quiet"))));
  dialog.showModal();
}

function moreActs(windows, counts) {
  const waiting = (counts.waiting ?? 0) + (counts.retrying ?? 0);
  return waiting && windows.kind !== "run" ? [button(`Cancel ${number.format(waiting)}`, () => planCancel(windows), "danger")] : [];
}

function planCancel(windows) {
  const chosen = Uint8Array.from(selection.among, (one, i) => (one && ["waiting", "retrying"].includes(windows.state(i)) ? 1 : 0));
  const orders = windows.ranges(chosen).map((range) => ({ job: windows.job, ...range }));
  planOrders(`Cancel what waits of ${windows.job}`, orders);
}

// One order for each range of neighbours, one after the other.
function planOrders(title, orders) {
  const each = async (more) => {
    let covered = 0;
    for (const one of orders) covered += (await call("cancel", { ...one, ...more })).covered;
    return { covered };
  };
  plan({
    title,
    isDangerous: true,
    look: () => each({ dry_run: true }),
    says: ({ covered }) => [covered ? `${many(covered, "message")} will be completed without an export, within half a minute. What runs by then is finished.` : "Nothing of it waits on the queue.", "The next tick asks again for windows that are due: pause the job to keep it from doing so."],
    count: ({ covered }) => covered,
    verb: (count) => `Cancel ${number.format(count)}`,
    act: async () => `${many((await each({})).covered, "message")} cancelled.`,
  });
}

// The states of a backfill that is not over yet.
const IN_PROGRESS = ["waiting", "sending"];
const progressOf = (one) => `${number.format(one.done)} of ${number.format(one.sent)} done${one.waiting ? `, ${number.format(one.waiting)} wait` : ""}${one.dead ? `, ${number.format(one.dead)} dead` : ""}`;

function showBackfills() {
  const panel = find("backfills-panel");
  const made = steered.backfills.slice(0, 8);
  panel.hidden = !made.length;
  find("backfills-count").textContent = steered.backfills.filter((one) => IN_PROGRESS.includes(one.state)).length || "";
  renew(find("backfills"), ...made.map((one) => make("div.run", {},
    make("div.line", {}, make("strong", {}, one.job), make("span", {}, one.state)),
    make("progress", { max: Math.max(1, one.sent), value: one.done, "aria-label": `Backfill ${one.id} of ${one.job}` }),
    make("div.line.muted", {}, make("span", {}, progressOf(one)), make("span", {}, `${one.since} to ${one.until}`)),
    IN_PROGRESS.includes(one.state) && one.waiting ? make("div.acts", {}, button("Cancel", () => planOrders(`Cancel backfill ${one.id}`, [{ backfill: one.id }]), "quiet.danger", {}, ` backfill ${one.id}`)) : null)));
}
