// Looks again and again, and shows what is new.

const listeners = new Set();
let looking = null;

function showVerdict() {
  const { status } = seen;
  const title = find("verdict");
  if (seen.failed) {
    // 0: nobody answered. Else the server says what it could not reach, which may be long.
    title.textContent = seen.failed.status ? "Nothing can be seen now" : upper(seen.failed.message);
    const since = status ? `What is below was seen at ${instant(status.at)}.` : "";
    const why = seen.failed.status ? seen.failed.message : null;
    find("details").textContent = [why, seen.failed.advice, since].filter(Boolean).map(asSentence).join(" ");
    document.documentElement.dataset.state = "unknown";
    return;
  }
  const sum = (state) => status.jobs.reduce((all, job) => all + (job.counts[state] ?? 0), 0);
  const wrong = WRONG.reduce((all, state) => all + sum(state), 0);
  const notDue = sum("not-due");
  const due = status.jobs.reduce((all, job) => all + Object.values(job.counts).reduce((a, b) => a + b, 0), 0) - notDue;
  const troubled = status.jobs.filter((job) => !job.well).length;
  title.textContent = wrong ? `${many(wrong, "window needs", "windows need")} you` : due === sum("there") ? `All ${many(due, "window")} are there` : "Nothing needs you";
  const parts = [`${number.format(sum("there"))} of ${number.format(due)} are there`, `${number.format(status.jobs.reduce((all, job) => all + job.proven, 0))} proven closed`];
  for (const state of [...WRONG, "running", "waiting", "retrying", "due"]) if (sum(state)) parts.push(`${number.format(sum(state))} ${STATES[state].word}`);
  const where = troubled ? `In ${number.format(troubled)} of ${many(status.jobs.length, "job")}: ` : `${many(status.jobs.length, "job")}: `;
  find("details").textContent = `${where}${parts.join(", ")}.`;
  document.documentElement.dataset.state = wrong ? "wrong" : "well";
  document.title = wrong ? `(${wrong}) Tailrace` : "Tailrace";
  const notes = [...status.notes, ...status.disabled.flatMap((one) => one.problems)];
  find("notes").hidden = !notes.length;
  find("notes").replaceChildren(...notes.map((note) => make("li", {}, asSentence(note))));
}

async function look(isForced = false) {
  if (looking && !isForced) return;
  const mine = {};
  looking = mine;
  document.body.classList.add("looking");
  try {
    const [status, coverage, dead] = await Promise.all([call("status"), call("coverage"), call("dead-letters").catch((error) => ({ error }))]);
    seen.failed = null;
    take(status, coverage);
    if (dead.error) showUnseen("dead", dead.error); else showDead(dead);
    await lookMore();
    for (const listener of listeners) listener();
  } catch (error) {
    seen.failed = error;
    if (error.status === 401) askForKey(error); else showVerdict();
  } finally {
    if (looking === mine) looking = null;
    document.body.classList.remove("looking");
  }
}

function take(status, coverage) {
  seen.status = status;
  for (const packed of coverage.jobs) {
    const grid = status.jobs.find((job) => job.job === packed.job)?.grid ?? null;
    const before = seen.jobs.get(packed.job);
    const text = JSON.stringify([packed, grid]);
    // Most looks find most jobs as they were, and unpacking 100,000 windows takes longer than a frame.
    if (before?.text === text) continue;
    const windows = new Windows(packed, grid, text);
    if (before) selection.follow(before, windows);
    seen.jobs.set(packed.job, windows);
  }
  showVerdict();
  showJobs();
  if (!find("dialog").open) showBar();
}

async function lookAtRunning() {
  if (document.hidden || !seen.status) return;
  try {
    const now = await call("running");
    showRunning(now);
    noteFlow(now);
  } catch (error) {
    showUnseen("running", error);
  }
}

function askForKey(error) {
  const dialog = find("dialog");
  // The looks go on meanwhile: whoever types must not lose what is typed.
  if (dialog.open && find("key")) return;
  const field = make("input", { type: "password", id: "key", autocomplete: "off", required: true, "aria-describedby": "key-advice" });
  const form = make("form", { onsubmit: (event) => { event.preventDefault(); stored.set(field.value); dialog.close(); look(true); } },
    make("h2", { id: "dialog-title" }, "Who are you?"),
    make("p", { id: "key-advice" }, `${asSentence(error.message)} ${error.advice ? asSentence(error.advice) : "Paste a function key of this app; it stays in this tab."}`),
    make("label", { for: "key" }, "Key"), field,
    make("footer", {}, make("button.primary", { type: "submit" }, "Go on")));
  dialog.replaceChildren(form);
  if (!dialog.open) dialog.showModal();
}

function setTheme(theme) {
  document.documentElement.dataset.theme = theme;
  try { localStorage.setItem("tailrace-theme", theme); } catch { /* a browser that stores nothing */ }
  readColours();
  showLegend();
  // Signs are drawn in the colours of the theme.
  for (const card of cards.values()) card.forget();
  if (seen.status) showJobs();
  changed();
}

function begin() {
  takeKey();
  let theme = null;
  try { theme = localStorage.getItem("tailrace-theme"); } catch { /* likewise */ }
  const isDark = matchMedia("(prefers-color-scheme: dark)");
  setTheme(theme ?? (isDark.matches ? "dark" : "light"));
  find("theme").addEventListener("click", () => setTheme(document.documentElement.dataset.theme === "dark" ? "light" : "dark"));
  find("refresh").addEventListener("click", () => look(true));
  find("filter").addEventListener("input", () => seen.status && showJobs());
  for (const name of ["drawer", "dialog"]) {
    find(name).addEventListener("click", (event) => { if (event.target === find(name)) find(name).close(); });
  }
  document.addEventListener("keydown", (event) => { if (event.key === "Escape" && !document.querySelector("dialog[open]") && selection.job) { selection.clear(); changed(); } });
  document.addEventListener("visibilitychange", () => !document.hidden && look());
  setInterval(() => !document.hidden && look(), 5000);
  setInterval(lookAtRunning, 2000);
  look().then(lookAtRunning);
}

begin();
