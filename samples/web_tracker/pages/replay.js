// Projections, how far they are, and the rebuild that runs or ran last. All of it comes from one message that the server repeats.
import { LiveSocket, duration, element, number, percent, plural, requestJson, sendJson, setText, showConnection, untrusted, visible } from "./common.js";

const byId = (id) => document.getElementById(id);
const kTones = { live: "good", "catching up": "warn", rebuilding: "warn", stalled: "bad", failed: "bad" };
const rows = new Map(); // name → its row
let latest = null;

// ---- the table

function rowOf(name) {
  const box = element("input", { type: "checkbox" });
  box.setAttribute("aria-label", visible(name));
  box.addEventListener("change", showChoice);
  const label = untrusted(element("span"), name);
  label.addEventListener("click", () => box.click());
  const cells = {
    topic: element("td"),
    phase: element("span", { class: "chip" }),
    place: element("td", { class: "number" }),
    lag: element("td", { class: "number" }),
    rate: element("td", { class: "number" }),
    parked: element("td", { class: "number" }),
    generation: element("td", { class: "number" }),
    why: element("span", { class: "why" }),
  };
  const row = element("tr", {}, element("td", {}, element("label", { class: "pick" }, box)),
    element("th", { scope: "row" }, label, cells.why), element("td", {}, cells.phase), cells.lag, cells.place, cells.rate, cells.parked,
    cells.generation, cells.topic);
  byId("rows").append(row);
  return { row, box, ...cells };
}

function showProjections(projections) {
  const names = new Set(projections.map((p) => p.name));
  for (const [name, { row }] of rows) {
    if (names.has(name)) continue;
    row.remove();
    rows.delete(name);
  }
  for (const p of projections) {
    if (!rows.has(p.name)) rows.set(p.name, rowOf(p.name));
    const row = rows.get(p.name);
    const phase = p.phase.replaceAll("_", " ");
    untrusted(row.topic, p.topic);
    setText(row.phase, phase);
    row.phase.dataset.tone = kTones[phase] ?? "";
    setText(row.place, `${number(p.position)} / ${number(p.end)}`);
    setText(row.lag, number(p.lag));
    row.lag.classList.toggle("behind", p.lag > 0);
    setText(row.rate, number(p.events_per_second));
    setText(row.parked, number(p.parked));
    row.parked.classList.toggle("behind", p.parked > 0);
    setText(row.generation, number(p.generation));
    const why = p.error || p.note || "";
    untrusted(row.why, why, { whenEmpty: "" });
    row.why.classList.toggle("bad", Boolean(p.error));
  }
}

const chosen = () => [...rows].filter(([, { box }]) => box.checked).map(([name]) => name);

function showChoice() {
  const names = chosen();
  const all = names.length === 0 || names.length === rows.size;
  byId("all").checked = names.length > 0 && names.length === rows.size;
  byId("all").indeterminate = names.length > 0 && names.length < rows.size;
  setText(byId("chosen"), all ? "" : `${number(names.length)} of ${number(rows.size)} chosen`);
  setText(byId("start"), all ? "Rebuild all" : `Rebuild ${plural(names.length, "projection")}`);
  byId("start").disabled = rows.size === 0 || latest?.rebuild?.state === "running";
}

byId("all").addEventListener("change", ({ target }) => {
  for (const { box } of rows.values()) box.checked = target.checked;
  showChoice();
});

// ---- the rebuild

const kStates = {
  running: ["running", "warn"],
  done: ["done", "good"],
  failed: ["failed", "bad"],
  canceled: ["canceled", ""],
};

function showRebuild(rebuild) {
  byId("rebuild").hidden = rebuild === null;
  if (rebuild === null) return;
  const running = rebuild.state === "running";
  const [word, tone] = kStates[rebuild.state] ?? [rebuild.state, ""];
  setText(byId("rebuild-state"), word);
  byId("rebuild-state").dataset.tone = tone;
  byId("rebuild").dataset.state = rebuild.state;
  const share = rebuild.total > 0 ? Math.min(1, rebuild.events / rebuild.total) : rebuild.state === "done" ? 1 : 0;
  const done = percent(running ? Math.min(share, 0.99) : share); // the last percent is the swap's
  byId("rebuild-bar").value = share;
  setText(byId("rebuild-bar"), done);
  const left = rebuild.left_seconds === null ? "–" : duration(Math.ceil(rebuild.left_seconds));
  showFacts([
    ["Events", `${number(rebuild.events)} of ${number(rebuild.total)}`],
    ["Done", done],
    ["Events per second", number(rebuild.events_per_second)],
    running ? ["Time left", left] : ["Took", seconds(rebuild.elapsed_seconds)],
  ]);
  const names = rebuild.projections ?? [];
  const text = names.length === rows.size ? `All ${plural(names.length, "projection")}` : names.map(visible).join(", ");
  setText(byId("rebuild-names"), text);
  setText(byId("rebuild-outcome"), outcomeOf(rebuild));
  if (!running && byId("cancel").contains(document.activeElement)) byId("start").focus();
  byId("cancel").hidden = !running;
}

const seconds = (n) => (n < 0.1 ? "less than 0.1s" : n < 10 ? `${n.toFixed(1)}s` : duration(n));

function outcomeOf({ state, projections, events, elapsed_seconds, error }) {
  if (state === "done") {
    return `Rebuilt ${plural(projections.length, "projection")} from ${plural(events, "event")} in ${seconds(elapsed_seconds)}; readers see the new rows.`;
  }
  if (state === "failed") return `The rebuild failed: ${visible(error ?? "no reason was given")}. The old rows stay in use.`;
  return state === "canceled" ? "The rebuild was canceled. The old rows stay in use." : "";
}

function showFacts(facts) {
  const list = byId("rebuild-facts");
  facts.forEach(([name, value], i) => {
    const pair = list.children[i] ?? list.appendChild(element("div", {}, element("dt"), element("dd")));
    setText(pair.firstChild, name);
    setText(pair.lastChild, value);
  });
}

async function act(method, body) {
  setText(byId("failed"), "");
  try {
    await sendJson(method, "/api/rebuild", body);
  } catch (error) {
    setText(byId("failed"), visible(error.message));
  }
}

byId("choice").addEventListener("submit", (event) => {
  event.preventDefault();
  act("POST", { projections: chosen() });
});
byId("cancel").addEventListener("click", () => act("DELETE"));

// ---- what the server says

function show(state) {
  latest = state;
  byId("main").setAttribute("aria-busy", "false");
  showProjections(state.projections);
  showChoice();
  showRebuild(state.rebuild);
  document.documentElement.dataset.ready = "true";
}

let following = false; // whether the server repeats it on this connection

const socket = new LiveSocket({
  hello: () => [{ type: "watch-projections" }],
  message: (message) => {
    if (message.type === "projections") {
      if (!following) setText(byId("failed"), "");
      following = true;
      socket.taken();
      show(message);
    } else if (message.type === "error") {
      setText(byId("failed"), visible(message.error));
      if (!following) socket.askAgain(() => !following);
    }
  },
  state: (state) => {
    showConnection(state);
    if (state === "closed") following = false;
    setText(byId("lost"), state === "closed" ? "The connection to the server is lost. Reconnecting; what is shown may be old." : "");
  },
});

requestJson("/api/projections").then(
  (state) => latest === null && show(state),
  (error) => socket.last !== "open" && setText(byId("failed"), visible(error.message)),
);
