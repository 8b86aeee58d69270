// What happens now: running exports, their flow over time, dead letters.

function showRunning(now) {
  const box = find("running");
  find("running-count").textContent = now.exports.length || "";
  if (now.note) { renew(box, make("p.muted", {}, asSentence(now.note))); return; }
  if (!now.exports.length) { renew(box, make("p.muted", {}, "No export reads now.")); return; }
  box.replaceChildren(...now.exports.map((one) => {
    const share = one.estimated_rows ? Math.min(0.99, one.rows / Math.max(one.estimated_rows, one.rows + 1)) : null;
    const speed = one.seconds ? one.bytes / one.seconds : 0;
    const waits = one.waits_for && !one.waits_for.startsWith("Client");
    const left = one.seconds_left === null || waits ? "" : one.seconds_left < 1 ? " · nearly done" : ` · about ${length(one.seconds_left)} left`;
    return make("div.run", {},
      make("div.line", {}, make("strong", {}, one.job), make("span", {}, (one.window ?? "").replace("T", " "))),
      make("progress", { max: 1, value: share, "aria-label": `${one.job} ${one.window ?? ""}` }),
      make("div.line.muted", {}, make("span", {}, `${number.format(one.rows)} rows · ${bytes(one.bytes)}`), make("span", {}, `${bytes(speed)}/s${left}`)),
      waits ? make("p.muted", {}, `waits for ${one.waits_for}`) : null);
  }));
}

// Bytes a second and the queue's length, for as long as the page is open.
function noteFlow(now) {
  const sum = now.exports.reduce((bytesSoFar, one) => bytesSoFar + one.bytes, 0);
  const before = seen.flow.at(-1);
  const at = Date.parse(now.at) / 1000;
  const rate = before && at > before.at ? Math.max(0, sum - before.sum) / (at - before.at) : 0;
  seen.flow.push({ at, sum, rate, queue: seen.status?.queue.live ?? 0 });
  if (seen.flow.length > 300) seen.flow.shift();
  const box = find("flow");
  const last = seen.flow.at(-1);
  box.replaceChildren(
    spark("Throughput", seen.flow.map((one) => one.rate), `${bytes(last.rate)}/s`),
    spark("Queue", seen.flow.map((one) => one.queue), many(last.queue, "message")));
}

const SVG = "http://www.w3.org/2000/svg";
function spark(name, values, text) {
  if (values.length === 1) values.push(values[0]);
  const most = Math.max(...values, 1);
  const step = 100 / Math.max(1, values.length - 1);
  const points = values.map((value, i) => `${(i * step).toFixed(1)},${(27 - (25 * value) / most).toFixed(1)}`).join(" ");
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("viewBox", "0 0 100 28");
  svg.setAttribute("preserveAspectRatio", "none");
  svg.setAttribute("aria-hidden", "true");
  for (const [tag, value] of [["polygon", `0,28 ${points} 100,28`], ["polyline", points]]) {
    const shape = document.createElementNS(SVG, tag);
    shape.setAttribute("points", value);
    svg.append(shape);
  }
  return make("div.spark", {}, make("div.line", {}, make("span", {}, name), make("strong", {}, text)), svg);
}

// What a panel says if its call failed.
function showUnseen(panel, error) {
  find(`${panel}-count`).textContent = "";
  renew(find(panel), make("p.muted", {}, asSentence(`not seen: ${error.message}`)));
}

function showDead(dead) {
  seen.dead = dead;
  const box = find("dead");
  find("dead-count").textContent = dead.count || "";
  if (!dead.count) { renew(box, make("p.muted", {}, "None. Nothing has failed for good.")); return; }
  const open = new Set([...box.querySelectorAll("details[open]")].map((one) => one.dataset.reason));
  renew(box, ...dead.groups.map((group) => {
    const details = make("details", { open: open.has(group.reason) },
      make("summary", {}, `Show ${many(group.letters.length, "letter")}`),
      make("ul.letters", {}, group.letters.slice(0, 50).map(letterOf)));
    details.dataset.reason = group.reason;
    const jobs = [...new Set(group.letters.map((letter) => letter.job).filter(Boolean))];
    return make("div.group", {},
      make("div.line", {}, make("strong.reason", {}, group.reason), make("span.count", {}, number.format(group.count))),
      make("p.muted", {}, jobs.slice(0, 3).join(", ") + (jobs.length > 3 ? ` and ${jobs.length - 3} more` : "") + (group.stale ? ` · ${number.format(group.stale)} stale` : "")),
      make("p.advice", {}, asSentence(group.advice)),
      make("div.acts", {},
        button(`Replay ${number.format(group.count)}`, () => planLetters("replay", { reason: group.reason }, `${many(group.count, "dead letter")} of ${group.reason}`), "", {}, ` of ${group.reason}`),
        button("Drop", () => planLetters("drop", { reason: group.reason }, `${many(group.count, "dead letter")} of ${group.reason}`), "quiet.danger", {}, ` all of ${group.reason}`)),
      details);
  }));
}

function letterOf(letter) {
  const where = letter.window ? `${letter.job} ${letter.window.replace("T", " ")}` : letter.blob ?? `message ${letter.sequence_number}`;
  return make("li", {},
    letter.window ? button(where, () => openWindow(letter.job, letter.window), "link") : make("span", {}, where),
    letter.stale ? make("span.muted", {}, " stale: its blob is there by now") : null,
    make("p", {}, letter.description ?? ""));
}

function showLegend() {
  find("legend").replaceChildren(...Object.entries(STATES).map(([state, { word, says }]) =>
    make("li", {}, swatch(state), make("span", {}, make("strong", {}, word), ` ${says}`))));
}
