// The drawer: all that is known of one window.

let opened = null;

function term(name, value) {
  return value === null || value === undefined || value === "" ? [] : [make("dt", {}, name), make("dd", {}, value)];
}

async function openWindow(job, start) {
  const drawer = find("drawer");
  opened = { job, start };
  fillDrawer(drawer, `${job}`, [make("p.muted", {}, "Looking …")]);
  if (!drawer.open) drawer.showModal();
  try {
    const found = await call(`exports?job=${encodeURIComponent(job)}&window=${encodeURIComponent(start)}`);
    if (opened?.job === job && opened.start === start) showWindow(drawer, found);
  } catch (error) {
    fillDrawer(drawer, job, [problem(error)]);
  }
}

function fillDrawer(drawer, title, content) {
  drawer.replaceChildren(
    make("header", {}, make("h2", { id: "drawer-title" }, title), button("✕", () => drawer.close(), "quiet.icon", { "aria-label": "Close" })),
    make("div.content", { tabindex: "0", role: "group", "aria-labelledby": "drawer-title" }, content));
}

function problem(error) {
  return make("div.problem", { role: "alert" }, make("p", {}, make("strong", {}, asSentence(error.message))), error.advice ? make("p", {}, asSentence(error.advice)) : null);
}

function showWindow(drawer, found) {
  const state = found.state === "there" && !found.proven && found.window !== found.end ? "unproven" : found.state;
  const title = found.window.replace("T", " ");
  fillDrawer(drawer, `${found.job} · ${title}`, [
    make("p.state", {}, swatch(state), make("strong", {}, STATES[state].word), ` — ${STATES[state].says}`),
    found.why ? make("p.why", {}, found.why) : null,
    found.advice ? make("p.advice", {}, asSentence(found.advice)) : null,
    make("div.acts", {}, actsOf(found)),
    make("dl", {},
      term("window", found.window === found.end ? null : `${title} up to ${found.end.replace("T", " ")}`),
      term("request", make("code", {}, found.request_id)),
      term("attempt", found.attempt),
      term("tried again at", found.retry_at && instant(found.retry_at)),
      term("dead letter", found.dead_letter),
      term("dead since", found.dead_since && instant(found.dead_since)),
      found.running ? term("so far", `${number.format(found.running.rows)} rows, ${bytes(found.running.bytes)} in ${length(found.running.seconds)}`) : []),
    make("h3", {}, "Blob"),
    make("dl", {}, term("name", make("code", {}, found.blob_name)),
      found.blob ? [term("size", bytes(found.blob.size)), term("address", make("a", { href: found.blob.url, rel: "noreferrer", target: "_blank" }, found.blob.url))].flat() : term("", "it is not there")),
    ...receiptOf(found.receipt),
  ].flat());
}

function receiptOf(receipt) {
  if (!receipt) return [];
  const { closed } = receipt;
  const proof = !closed ? "not recorded" : closed.by === "delay" ? "the delay has passed, which proves nothing" : closed.open ? `${closed.open} could still add rows` : `proven by ${closed.by} at ${instant(closed.at)}`;
  return [
    make("h3", {}, "Receipt"),
    make("dl", {},
      term("rows", number.format(receipt.rows)),
      term("read", `${bytes(receipt.csv_bytes)} in ${many(receipt.parts.length, "part")}`),
      term("written", bytes(receipt.blob_bytes)),
      term("took", length((Date.parse(receipt.exported_at) - Date.parse(receipt.started_at)) / 1000)),
      term("attempts", receipt.attempts),
      term("exported at", instant(receipt.exported_at)),
      term("closed", proof),
      term("row hash", receipt.row_hash && make("code", {}, receipt.row_hash)),
      term("SHA-256", receipt.parts.length === 1 ? make("code", {}, receipt.parts[0].sha256) : null),
      term("revision", receipt.revision)),
  ];
}

function actsOf(found) {
  const again = () => { find("drawer").close(); };
  if (found.state === "dead" && found.dead_letter) {
    return [
      button("Replay", () => { again(); planLetters("replay", { numbers: [found.dead_letter] }, `the dead letter of ${found.window}`); }, "primary"),
      button("Drop", () => { again(); planLetters("drop", { numbers: [found.dead_letter] }, `the dead letter of ${found.window}`); }, "danger"),
    ];
  }
  if (["missing", "too-old", "due"].includes(found.state)) {
    return [button("Export it", () => { again(); planOne(found); }, "primary")];
  }
  if (found.state === "there" && found.window !== found.end) return [button("Export it again", () => { again(); planOneAgain(found); })];
  return [];
}
