// What the pages share: requests, the socket, texts that strangers wrote, numbers and times.
//
// Whatever comes from events is an attacker's text: it reaches the page by textContent and title only, through `untrusted`.

/** An answer that is not 2xx: `status`, and the server's words as the message. */
export class RequestError extends Error {
  constructor(status, message) {
    super(message);
    this.status = status;
  }
}

// Offsets and payloads may hold integers that a double cannot: those keep their digits where the browser has JSON.rawJSON.
function exactNumber(key, value, context) {
  if (typeof value !== "number" || Number.isSafeInteger(value) || !JSON.rawJSON || !context?.source) return value;
  return /^-?\d+$/.test(context.source) ? JSON.rawJSON(context.source) : value;
}

let serverAhead = 0; // milliseconds that the server's clock is ahead of ours, from its Date header
/** The server's time: periods and gaps are counted by its clock. */
export const serverNow = () => new Date(Date.now() + serverAhead);

/** The JSON of an answer. Throws RequestError; AbortError when `signal` says so. A lost sign-in leads to the login page. */
export async function requestJson(path, options = {}) {
  let response;
  try {
    response = await fetch(path, { ...options, headers: { Accept: "application/json", ...options.headers } });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new RequestError(0, "The server cannot be reached.");
  }
  const date = Date.parse(response.headers.get("Date") ?? "");
  // The header has whole seconds: a difference below two of them says nothing.
  if (date) serverAhead = Math.abs(date - Date.now()) < 2000 ? 0 : date - Date.now();
  if (response.status === 401) location.assign("/login?to=" + encodeURIComponent(location.pathname + location.search));
  const text = await response.text();
  let body = null;
  try {
    body = text === "" ? null : JSON.parse(text, exactNumber);
  } catch {
    if (response.ok) throw new RequestError(response.status, "The server's answer is not JSON.");
  }
  if (!response.ok) throw new RequestError(response.status, body?.error ?? `The server answered ${response.status}.`);
  return body;
}

export const sendJson = (method, path, body) =>
  requestJson(path, {
    method,
    headers: { "Content-Type": "application/json" },
    body: body === undefined ? undefined : JSON.stringify(body),
  });

// ---- texts of strangers

const control = /[\u0000-\u001f\u007f-\u009f\u00ad\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb]|[\u{e0000}-\u{e007f}]/gu;

/** Control, bidi and invisible characters are shown by their number, so that a text cannot pose as another. */
export const visible = (text) =>
  String(text).replace(control, (c) => `⟨U+${c.codePointAt(0).toString(16).toUpperCase().padStart(4, "0")}⟩`);

/** Shows `text` inside `element`, isolated; the whole of it in the title, since styles may cut it. */
export function untrusted(element, text, { whenEmpty = "(none)", title = true } = {}) {
  const shown = text === "" || text === null || text === undefined ? whenEmpty : visible(text);
  if (element.dataset.text === shown) return element;
  const bdi = document.createElement("bdi");
  bdi.textContent = shown;
  element.replaceChildren(bdi);
  element.dataset.text = shown;
  if (title) element.title = shown;
  return element;
}

/** element("td", {class: "number"}, child or text...): attributes are ours, never data. */
export function element(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value !== false && value !== null) made.setAttribute(name, value === true ? "" : value);
  }
  made.append(...children);
  return made;
}

/** Writes only what differs: what did not change keeps its selection and costs no layout. */
export function setText(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

/** A short sign that a value is new; nothing when motion is unwanted (style.css). */
export function flash(node) {
  node.classList.remove("fresh");
  void node.offsetWidth; // restarts the animation
  node.classList.add("fresh");
}

// ---- numbers and times

const whole = new Intl.NumberFormat("en-US", { maximumFractionDigits: 0 });
const compact = new Intl.NumberFormat("en-US", { notation: "compact", maximumFractionDigits: 1 });
export const number = (n) => (n === null || n === undefined ? "–" : whole.format(n));
export const shortNumber = (n) => (Math.abs(n) < 100000 ? whole.format(n) : compact.format(n));
export const percent = (share) => `${(share * 100).toFixed(share > 0 && share < 0.1 ? 1 : 0)} %`;
export const plural = (n, one, many = `${one}s`) => `${number(n)} ${n === 1 ? one : many}`;

/** 75 → "1m 15s". */
export function duration(seconds) {
  const s = Math.round(seconds);
  if (s < 60) return `${s}s`;
  if (s < 3600) return `${Math.floor(s / 60)}m ${s % 60}s`;
  if (s < 86400) return `${Math.floor(s / 3600)}h ${Math.floor((s % 3600) / 60)}m`;
  return `${Math.floor(s / 86400)}d ${Math.floor((s % 86400) / 3600)}h`;
}

// ---- the socket

const kFirstPause = 300;
const kLongestPause = 10000;
const kSilence = 30000; // a heavy view may take its time
const kQuiet = 10000; // so long without a word, and one asks
const kAnswer = 5000;
const kFirstAgain = 2000;
const kLongestAgain = 60000;

/**
 * A socket to /ws that comes back by itself. `hello()` gives the messages to send on each connection; `message(m)` gets what
 * arrives; `state("open" | "closed")` tells changes. Pauses double up to 10 s and are random, so that a hundred dashboards do
 * not come back in one moment. What is refused is asked for again by `askAgain()`, until `taken()`.
 */
export class LiveSocket {
  constructor({ hello, message, state }) {
    Object.assign(this, { hello, message, state });
    this.pause = kFirstPause;
    this.again = kFirstAgain;
    this.connect();
    setInterval(() => this.check(), kQuiet / 2);
    addEventListener("offline", () => this.check(0));
    addEventListener("online", () => this.hurry());
    document.addEventListener("visibilitychange", () => document.hidden || this.hurry());
  }

  connect() {
    clearTimeout(this.timer);
    const socket = new WebSocket(`${location.protocol === "https:" ? "wss" : "ws"}://${location.host}/ws`);
    this.socket = socket;
    this.heard = performance.now();
    socket.onopen = () => this.send(...this.hello());
    socket.onmessage = (event) => {
      if (this.socket !== socket) return;
      clearTimeout(this.silence);
      this.heard = performance.now();
      this.pause = kFirstPause;
      this.tell("open");
      this.message(JSON.parse(event.data, exactNumber));
    };
    socket.onclose = () => this.socket === socket && this.lost();
  }

  lost() {
    clearTimeout(this.silence);
    this.socket = null;
    // The first loss may be the server's restart; from the second on, ask whether a sign-in is missing.
    if (this.pause > kFirstPause) requestJson("/api/projections").catch(() => {});
    this.tell("closed");
    this.timer = setTimeout(() => this.connect(), this.pause * (0.5 + Math.random() / 2));
    this.pause = Math.min(this.pause * 2, kLongestPause);
  }

  /** Sends on the open connection; when there is none, `hello` will say it. An answer is expected soon. */
  send(...messages) {
    if (this.socket?.readyState !== WebSocket.OPEN) return;
    for (const m of messages) this.socket.send(JSON.stringify(m));
    clearTimeout(this.silence);
    this.silence = setTimeout(() => this.giveUp(), kSilence);
  }

  /** Says `hello` once more after a while, unless `isNeeded()` says no by then. */
  askAgain(isNeeded) {
    clearTimeout(this.asking);
    this.asking = setTimeout(() => isNeeded() && this.send(...this.hello()), this.again * (0.5 + Math.random() / 2));
    this.again = Math.min(this.again * 2, kLongestAgain);
  }

  taken() {
    clearTimeout(this.asking);
    this.again = kFirstAgain;
  }

  /** A server that is silent may have nothing to say, or be gone without a sign: whether it answers at all tells which. */
  async check(quiet = kQuiet) {
    const { socket, heard } = this;
    if (document.hidden || socket === null || performance.now() - heard < quiet) return;
    let answers = socket.readyState === WebSocket.OPEN;
    try {
      if (answers) await fetch("/healthz", { cache: "no-store", signal: AbortSignal.timeout(kAnswer) });
    } catch {
      answers = false;
    }
    if (!answers && this.socket === socket && this.heard === heard) this.giveUp();
  }

  giveUp() {
    const socket = this.socket;
    this.lost();
    socket.close();
  }

  // After sleep or a change of network a connection may be dead without a sign: ask, and give up on silence.
  hurry() {
    if (this.socket === null) this.connect();
    else this.send(...this.hello());
  }

  tell(state) {
    if (this.last === state) return;
    this.last = state;
    this.state(state);
  }
}

/** The dot at the top right. */
export function showConnection(state) {
  const node = document.getElementById("connection");
  node.dataset.state = state;
  setText(node, state === "open" ? "Live" : state === "closed" ? "Reconnecting" : "Connecting");
}
