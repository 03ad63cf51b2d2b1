// The event browser. What is looked at stands in the address: ?topic=T[&stream=S][&cursor=C][&partition=P&offset=O].
import { element, number, plural, requestJson, setText, untrusted, visible } from "./common.js";

const byId = (id) => document.getElementById(id);
const kLimit = 50;
let look = lookOf(location.search);
let turn = 0; // counts what was asked for: an answer to an older question is not shown
let topics = [];
let shown = {}; // what the lists show, so that opening an event does not load them again

function lookOf(search) {
  const query = new URLSearchParams(search);
  return Object.fromEntries(["topic", "stream", "cursor", "partition", "offset"].filter((k) => query.has(k)).map((k) => [k, query.get(k)]));
}

const queryOf = (parts) => new URLSearchParams(Object.entries(parts).filter(([, v]) => v !== undefined && v !== null)).toString();

function go(next) {
  look = next;
  history.pushState(null, "", `?${queryOf(next)}`);
  show();
}

const listOnly = ({ partition, offset, ...rest }) => rest;
const place = (event) => `${event.partition} / ${number(event.offset)}`;
const when = (text) => String(text ?? "").replace("T", " ").replace(/Z$/, "");

// ---- loading

async function show({ again = false } = {}) {
  const mine = ++turn;
  setText(byId("failed"), "");
  try {
    if (topics.length === 0 || again) {
      ({ topics } = await requestJson("/api/topics"));
      showTopics();
    }
    look.topic ??= topics[0]?.name;
    if (look.topic === undefined) return;
    byId("topic").value = look.topic;
    const jobs = [];
    if (shown.topic !== look.topic || again) jobs.push(loadStreams(mine));
    if (shown.list !== queryOf(listOnly(look)) || again) jobs.push(loadEvents(mine));
    jobs.push(loadEvent(mine));
    await Promise.all(jobs);
    if (mine === turn) markCurrent();
  } catch (error) {
    if (mine === turn) showFailure(error);
  }
  document.documentElement.dataset.ready = "true";
}

function showFailure(error) {
  setText(byId("failed"), visible(error.message));
  const opened = queryOf({ topic: look.topic, partition: look.partition, offset: look.offset });
  if (shown.event !== opened) byId("event").hidden = true; // not that of another place under this address
}

function showTopics() {
  const select = byId("topic");
  select.replaceChildren(...topics.map(({ name }) => {
    const option = element("option");
    option.value = name;
    option.textContent = visible(name);
    return option;
  }));
}

async function loadStreams(mine) {
  const { streams, looked_at } = await requestJson(`/api/streams?${queryOf({ topic: look.topic })}`);
  if (mine !== turn) return;
  shown.topic = look.topic;
  const { partitions = [] } = topics.find(({ name }) => name === look.topic) ?? {};
  const events = partitions.reduce((sum, { start, end }) => sum + end - start, 0);
  setText(byId("topic-note"), `${plural(events, "event")} in ${plural(partitions.length, "partition")}`);
  setText(byId("streams-note"), looked_at > 0 ? `${number(streams.length)} in the newest ${plural(looked_at, "event")}` : "No events yet");
  byId("streams").replaceChildren(...streams.map(({ stream, events: count, last }) => {
    const row = element("tr", {}, element("th", { scope: "row" }, streamButton(stream)), element("td", { class: "number" }, number(count)));
    row.lastChild.title = `last ${when(visible(last))}`;
    row.dataset.stream = stream;
    return row;
  }));
}

function streamButton(stream) {
  const button = untrusted(element("button", { type: "button", class: "link" }), stream);
  button.addEventListener("click", () => go({ topic: look.topic, stream }));
  return button;
}

// All streams are read backwards from the newest event, one stream forwards from its first.
async function loadEvents(mine) {
  const { topic, stream, cursor } = look;
  const list = queryOf(listOnly(look));
  const way = stream === undefined ? "before" : "after";
  const answer = await requestJson(`/api/events?${queryOf({ topic, stream, [way]: cursor, limit: kLimit })}`);
  if (mine !== turn) return;
  shown.list = list;
  if (stream === undefined) setText(byId("list-title"), "Newest events");
  else byId("list-title").replaceChildren("Stream ", untrusted(element("span"), stream, { whenEmpty: "(empty)" }));
  byId("all-streams").hidden = stream === undefined;
  byId("events").replaceChildren(...answer.events.map(eventRow));
  byId("none").hidden = answer.events.length > 0;
  setText(byId("first"), stream === undefined ? "Newest" : "From the start");
  setText(byId("further"), stream === undefined ? "Older" : "Later");
  byId("first").disabled = cursor === undefined;
  const next = answer[way];
  byId("further").disabled = next === null || next === undefined;
  byId("further").onclick = () => go({ topic, stream, cursor: String(next) });
}

function eventRow(event) {
  const time = element("button", { type: "button", class: "link when" });
  setText(time, when(visible(event.time)));
  time.addEventListener("click", () => go({ ...look, partition: String(event.partition), offset: String(event.offset) }));
  const row = element("tr", {}, element("td", {}, time), element("td", {}, untrusted(element("span", { class: "cut" }), event.type)),
    element("td", {}, streamButton(event.stream)), element("td", { class: "number" }, place(event)));
  row.dataset.place = `${event.partition}/${event.offset}`;
  return row;
}

// ---- one event

async function loadEvent(mine) {
  const { topic, partition, offset } = look;
  if (partition === undefined || offset === undefined) {
    byId("event").hidden = true;
    shown.event = undefined;
    return;
  }
  const wanted = queryOf({ topic, partition, offset });
  if (shown.event === wanted) return;
  const event = await requestJson(`/api/event?${wanted}`);
  if (mine !== turn) return;
  shown.event = wanted;
  byId("event-title").replaceChildren("Event ", untrusted(element("span"), event.type));
  showEnvelope(event);
  setText(byId("payload-error"), event.error ? visible(event.error) : "");
  byId("payload").hidden = event.payload === null || event.payload === undefined;
  byId("payload").textContent = escaped(compact(JSON.stringify(event.payload, null, 2) ?? ""));
  byId("shape-details").hidden = !event.shape;
  byId("shape").textContent = visibleLines(event.shape ?? "");
  byId("event").hidden = false;
  byId("event").focus({ preventScroll: true });
  byId("event").scrollIntoView({ block: "nearest" });
}

// Bytes are arrays of numbers: on one line. No string of JSON has a line's end in it, so nothing else looks like this.
const compact = (json) => json.replace(/\[\n\s+-?\d+(?:,\n\s+-?\d+)*\n\s*\]/g, (array) => array.replace(/\s+/g, " "));

// JSON may hold bidi controls as they are; as \u escapes it stays JSON and cannot reorder the line.
const escaped = (json) =>
  json.replace(/[\u007f-\u009f\u00ad\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff]/g, (c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, "0")}`);
const visibleLines = (text) => text.split("\n").map(visible).join("\n");

function showEnvelope(event) {
  const rows = [
    ["Stream", event.stream],
    ["Type", event.type],
    ["Time", when(event.time)],
    ["Recorded", when(event.recorded)],
    ["Topic", event.topic],
    ["Place", `partition ${event.partition}, offset ${number(event.offset)}`],
    ["Id", event.id],
    ["Correlation", event.correlation],
    ["Causation", event.causation],
    ["Lane", event.lane],
    ["Size", plural(event.bytes, "byte")],
  ];
  byId("envelope").replaceChildren(...rows.filter(([, value]) => value !== null && value !== undefined && value !== "").flatMap(([name, value]) => {
    const text = name === "Stream" ? streamButton(value) : untrusted(element("span", { class: name === "Id" ? "mono" : "" }), value);
    return [element("dt", {}, name), element("dd", {}, text)];
  }));
}

function markCurrent() {
  for (const row of byId("streams").rows) row.setAttribute("aria-current", row.dataset.stream === look.stream);
  for (const row of byId("events").rows) row.setAttribute("aria-current", row.dataset.place === `${look.partition}/${look.offset}`);
}

byId("topic").addEventListener("change", ({ target }) => go({ topic: target.value }));
byId("picker").addEventListener("submit", (event) => {
  event.preventDefault();
  show({ again: true });
});
byId("all-streams").addEventListener("click", () => go({ topic: look.topic }));
byId("first").addEventListener("click", () => go({ topic: look.topic, stream: look.stream }));
byId("close").addEventListener("click", () => {
  const row = [...byId("events").rows].find(({ dataset }) => dataset.place === `${look.partition}/${look.offset}`);
  go(listOnly(look));
  (row?.querySelector("button") ?? byId("main")).focus();
});
addEventListener("popstate", () => {
  look = lookOf(location.search);
  show();
});

byId("connection").hidden = true; // this page asks when it is told to; it holds no connection
show();
