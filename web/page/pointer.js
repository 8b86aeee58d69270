// What mouse, finger and keys do on a map.

function attach(heat, on) {
  const { box } = heat;
  let anchor = null;
  let last = null;
  const span = (a, b) => [Math.min(heat.layout.cells.from(a), heat.layout.cells.from(b)), Math.max(heat.layout.cells.to(a), heat.layout.cells.to(b))];

  box.addEventListener("pointerdown", (event) => {
    const cell = heat.cellAt(event);
    if (event.button !== 0) return;
    const labelled = cell < 0 ? heat.labelled(event) : null;
    if (labelled) on.select(...labelled, event.ctrlKey || event.metaKey);
    if (cell < 0) return;
    if (event.shiftKey && heat.cursor !== null) {
      on.select(...span(heat.cursor, cell), event.ctrlKey || event.metaKey);
      event.preventDefault();
      return;
    }
    anchor = cell;
    last = cell;
    heat.cursor = cell;
    if (event.pointerType === "mouse") box.setPointerCapture(event.pointerId);
  });
  box.addEventListener("pointermove", (event) => {
    const cell = heat.cellAt(event);
    if (anchor === null) { tip(event, heat, cell); return; }
    hideTip();
    if (cell < 0 || cell === last) return;
    last = cell;
    heat.dragged = span(anchor, cell);
    on.dragging(...heat.dragged);
    heat.draw();
  });
  const stop = () => { anchor = null; heat.dragged = null; heat.draw(); };
  box.addEventListener("pointercancel", stop);
  box.addEventListener("pointerleave", hideTip);
  box.addEventListener("pointerup", (event) => {
    if (anchor === null) return;
    const chosen = heat.dragged;
    const cell = anchor;
    stop();
    if (chosen) on.select(...chosen, event.ctrlKey || event.metaKey);
    else if (event.ctrlKey || event.metaKey) on.select(...span(cell, cell), true);
    else on.open(cell);
  });
  box.addEventListener("wheel", (event) => {
    if (!event.ctrlKey) return;
    event.preventDefault();
    const cell = heat.cellAt(event);
    on.zoom(event.deltaY < 0 ? 1 : -1, cell < 0 ? null : heat.layout.cells.from(cell));
  }, { passive: false });
  box.addEventListener("keydown", (event) => keys(event, heat, on, span));
  box.addEventListener("focus", () => { if (heat.cursor === null && heat.layout) heat.cursor = heat.layout.cells.count - 1; say(heat); heat.draw(); });
  box.addEventListener("blur", () => heat.draw());
}

function keys(event, heat, on, span) {
  if (!heat.layout || !heat.layout.cells.count) return;
  const { across, down } = heat.layout.step;
  const moves = { ArrowLeft: -across, ArrowRight: across, ArrowUp: -down, ArrowDown: down, Home: -Infinity, End: Infinity, PageUp: -down * 7, PageDown: down * 7 };
  const count = heat.layout.cells.count;
  const cursor = Math.min(heat.cursor ?? count - 1, count - 1);
  if (event.key in moves) {
    const cell = Math.max(0, Math.min(count - 1, cursor + moves[event.key]));
    if (event.shiftKey) {
      heat.anchor ??= cursor;
      on.select(...span(heat.anchor, cell), false);
    } else heat.anchor = null;
    heat.cursor = cell;
    heat.reveal(cell);
    if (!event.shiftKey) say(heat);
  } else if (event.key === "Enter") on.open(cursor);
  else if (event.key === " ") on.select(...span(cursor, cursor), true);
  else if (event.key === "+" || event.key === "=") on.zoom(1, heat.layout.cells.from(cursor));
  else if (event.key === "-") on.zoom(-1, heat.layout.cells.from(cursor));
  else if (event.key === "Escape") on.clear();
  else return;
  event.preventDefault();
}

// A cell in words.
function inWords(heat, cell) {
  const { cells } = heat.layout;
  const { windows } = heat;
  const [from, to] = [cells.from(cell), cells.to(cell)];
  if (to - from === 1) {
    const state = windows.state(from);
    const why = windows.why(from);
    return { title: windows.label(from), text: STATES[state].word + (why ? `: ${why}` : ""), state };
  }
  const counts = windows.counts(from, to);
  const title = windows.kind === "time" ? dayOf(windows.starts[from]) : `${windows.label(from)} and ${number.format(to - from - 1)} more`;
  return { title, text: WORST.filter((name) => counts[name]).map((name) => `${number.format(counts[name])} ${STATES[name].word}`).join(", "), state: null };
}

function say(heat) {
  if (!heat.layout || heat.cursor === null || !heat.layout.cells.count) return;
  const { title, text } = inWords(heat, Math.min(heat.cursor, heat.layout.cells.count - 1));
  announce(`${title}: ${text}`);
}

function tip(event, heat, cell) {
  if (cell < 0 || event.pointerType !== "mouse") { hideTip(); return; }
  const { title, text } = inWords(heat, cell);
  const box = find("tip");
  box.replaceChildren(make("strong", {}, title), make("span", {}, text.length > 160 ? `${text.slice(0, 160)}…` : text));
  box.hidden = false;
  const width = box.offsetWidth;
  box.style.left = `${Math.max(8, Math.min(innerWidth - width - 8, event.clientX - width / 2))}px`;
  box.style.top = `${event.clientY > 90 ? event.clientY - box.offsetHeight - 14 : event.clientY + 18}px`;
}

function hideTip() { find("tip").hidden = true; }
