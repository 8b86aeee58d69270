// Words, numbers and times, and how elements are made.

const STATES = {
  there: { word: "there", says: "its blob is there, and the window was proven closed" },
  unproven: { word: "not proven", says: "its blob is there; nothing proves that no row came later" },
  running: { word: "running", says: "a worker exports it now" },
  waiting: { word: "waiting", says: "its message is on the queue" },
  retrying: { word: "retrying", says: "it failed and is tried again later" },
  due: { word: "due", says: "the next tick asks for it" },
  "not-due": { word: "not due", says: "its window is still open" },
  missing: { word: "missing", says: "it is due, and it has neither blob nor message" },
  "too-old": { word: "too old", says: "it is missing, and no tick looks back so far" },
  dead: { word: "dead", says: "it failed for good: see the dead letter's reason" },
  foreign: { word: "foreign", says: "a blob of something else has its name" },
};
const WRONG = ["dead", "missing", "too-old", "foreign"];
// Of several windows in one cell, the first of these is shown.
const WORST = ["dead", "foreign", "missing", "too-old", "retrying", "running", "waiting", "due", "unproven", "there", "not-due"];

const number = new Intl.NumberFormat("en");
const many = (count, one, more = `${one}s`) => `${number.format(count)} ${count === 1 ? one : more}`;

function bytes(count) {
  const units = ["bytes", "kB", "MB", "GB", "TB"];
  let unit = 0;
  while (count >= 1000 && unit < units.length - 1) { count /= 1000; unit += 1; }
  return `${unit && count < 100 ? count.toFixed(1) : Math.round(count)} ${units[unit]}`;
}

function length(seconds) {
  if (seconds < 90) return `${Math.round(seconds)} s`;
  if (seconds < 5400) return `${Math.round(seconds / 60)} min`;
  return seconds < 172800 ? `${Math.round(seconds / 3600)} h` : `${Math.round(seconds / 86400)} days`;
}

const instant = (text) => new Date(text).toLocaleString("en-GB", { dateStyle: "medium", timeStyle: "medium" });
const MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

// A start on the wall clock, in seconds since 1970, as the API takes it.
function written(seconds) {
  const text = new Date(seconds * 1000).toISOString();
  if (seconds % 86400 === 0) return text.slice(0, 10);
  return seconds % 60 === 0 ? text.slice(0, 16) : text.slice(0, 19);
}

const dayOf = (seconds) => {
  const day = new Date(seconds * 1000);
  return `${day.getUTCDate()} ${MONTHS[day.getUTCMonth()]} ${day.getUTCFullYear()}`;
};

// Makes an element: make("p.note", { title: "…" }, "text", child). A property that begins with "on" is a listener.
function make(what, properties = {}, ...children) {
  const [tag, ...classes] = what.split(".");
  const element = document.createElement(tag);
  if (classes.length) element.className = classes.join(" ");
  for (const [name, value] of Object.entries(properties)) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children.flat().filter((child) => child !== null && child !== undefined));
  return element;
}

// Puts children into a box if they differ from what is in it. What had the focus has it afterwards, too: at each look
// everything is made anew, and whoever is there by keys must not lose the place.
function renew(box, ...children) {
  const fresh = make("div", {}, ...children);
  if (fresh.innerHTML === box.innerHTML && box.childNodes.length) return;
  const places = () => [...box.querySelectorAll("button, summary, a, input")];
  const at = places().indexOf(document.activeElement);
  const name = at < 0 ? null : document.activeElement.textContent;
  box.replaceChildren(...fresh.childNodes);
  if (at < 0) return;
  const found = places();
  (found.find((one) => one.textContent === name) ?? found[Math.min(at, found.length - 1)] ?? box.closest("[tabindex]"))?.focus({ preventScroll: true });
}

const find = (id) => document.getElementById(id);
// `heard` is said by a screen reader after the text, and not shown.
const button = (text, act, kind = "", more = {}, heard = null) => make(`button${kind && `.${kind}`}`, { type: "button", onclick: act, ...more }, text, heard && make("span.hidden", {}, heard));

const upper = (text) => text[0].toUpperCase() + text.slice(1);
const asSentence = (text) => upper(text) + (/[.!?]$/.test(text) ? "" : ".");

let announcing = 0;
function announce(text) {
  clearTimeout(announcing);
  announcing = setTimeout(() => { find("live").textContent = text; }, 120);
}
