// Tiles, lists and the funnel: each shows a new state in place, so that focus, selection and scroll stay where they are.
import { duration, element, flash, number, percent, plural, setText, untrusted } from "./common.js";

const share = (part, whole) => (whole > 0 && part !== null && part !== undefined ? part / whole : null);

// `better`: +1 when more is good, -1 when less is, 0 when neither.
const kTiles = [
  { key: "visitors", label: "Visitors", value: (t) => t.visitors, better: 1 },
  { key: "views", label: "Page views", value: (t) => t.views, better: 1 },
  { key: "hits", label: "Hits", value: (t) => t.hits, better: 1 },
  { key: "sessions", label: "Sessions", value: (t) => t.sessions, better: 1 },
  { key: "bounce", label: "Bounce rate", value: (t) => share(t.bounces, t.ended), text: percent, better: -1 },
  { key: "duration", label: "Average visit", value: (t) => share(t.duration_seconds, t.ended), text: duration, better: 1 },
  { key: "pages", label: "Pages per visit", value: (t) => share(t.pages, t.ended), text: (n) => n.toFixed(1), better: 1 },
];

export class TilesView {
  constructor() {
    const tiles = document.getElementById("tiles");
    this.tiles = kTiles.map((tile) => {
      const value = element("dd", { class: "value", "data-tile": tile.key }, "–");
      const change = element("dd", { class: "change" });
      tiles.append(element("div", { class: "tile card" }, element("dt", {}, tile.label), value, change));
      return { ...tile, valueNode: value, changeNode: change };
    });
  }

  /** `comparison` as the server gives it, or null; `against` says with what it compares. True when there is a change to tell. */
  show(totals, comparison, against, calm) {
    for (const tile of this.tiles) {
      const now = tile.value(totals) ?? null;
      const text = now === null ? "–" : (tile.text ?? number)(now);
      if (tile.valueNode.textContent !== text) {
        setText(tile.valueNode, text);
        if (!calm) flash(tile.valueNode);
      }
      const [over, before] = comparison ? [comparison.now, comparison.before].map((of) => tile.value(of) ?? null) : [null, null];
      this.showChange(tile, over, before, against);
    }
    return this.tiles.some(({ changeNode }) => changeNode.title !== "");
  }

  showChange({ changeNode, better }, now, then, against) {
    let text = "";
    let tone = "";
    if (now !== null && then !== null && then !== 0) {
      const change = now / then - 1;
      const rounded = Math.round(change * 100);
      if (rounded === 0) {
        text = "as before";
      } else {
        text = `${rounded > 0 ? "▲" : "▼"} ${Math.abs(rounded) > 999 ? "999+" : Math.abs(rounded)} %`;
        if (better !== 0) tone = Math.sign(rounded) === better ? "good" : "bad";
      }
    } else if (now !== null && now !== 0 && then === 0) {
      text = "none before";
    }
    // The arrows are drawings: readers are told in words.
    const words = text.replace("▲", "up").replace("▼", "down").replace(/ before$/, "");
    const spoken = text === "" ? "" : text.endsWith("before") ? `${words === "as" ? "the same" : words} in ${against}` : `${words} against ${against}`;
    if (changeNode.title === spoken) return;
    changeNode.dataset.tone = tone;
    changeNode.replaceChildren(element("span", { "aria-hidden": "true" }, text), element("span", { class: "hidden-visually" }, spoken));
    changeNode.title = spoken;
  }
}

/** "3 live visitors": shown at once, read aloud once a minute at most. */
export class LiveView {
  constructor() {
    this.node = document.getElementById("live");
    this.status = this.node.parentElement;
    this.next = 0;
  }

  show(live) {
    const text = live === null || live === undefined ? "" : plural(live, "live visitor");
    if (this.node.textContent === text) return;
    const quiet = Date.now() < this.next;
    this.status.setAttribute("aria-live", quiet ? "off" : "polite");
    if (!quiet) this.next = Date.now() + 60000;
    setText(this.node, text);
  }
}

const kLists = [
  { name: "pages", title: "Top pages", of: "Page", counts: "Views", filters: true },
  { name: "entry_pages", title: "Entry pages", of: "Page", counts: "Sessions", filters: true },
  { name: "exit_pages", title: "Exit pages", of: "Page", counts: "Sessions", filters: true },
  { name: "referrers", title: "Referrers", of: "Site", counts: "Views", empty: "Direct" },
  { name: "events", title: "Custom events", of: "Event", counts: "Events" },
  { name: "status_codes", title: "Status codes", of: "Status", counts: "Requests", noneText: "No access logs in this period" },
  { name: "browsers", title: "Browsers", of: "Browser", counts: "Views", empty: "Unknown" },
  { name: "systems", title: "Systems", of: "System", counts: "Views", empty: "Unknown" },
  { name: "devices", title: "Devices", of: "Device", counts: "Views", empty: "Unknown" },
];

export class ListsView {
  /** `choose(page)`: the visitor of a list picked a page. */
  constructor(choose) {
    this.choose = choose;
    this.lists = new Map();
    const place = document.getElementById("lists");
    for (const list of kLists) {
      const body = element("tbody");
      const none = element("p", { class: "none" });
      none.hidden = true;
      const more = element("p", { class: "more" });
      const head = element("tr", {}, element("th", { scope: "col" }, list.of), element("th", { scope: "col", class: "number" }, list.counts));
      const table = element("table", {}, element("caption", {}, element("h3", {}, list.title)), element("thead", {}, head), body);
      place.append(element("div", { class: "card list", "data-list": list.name }, table, none, more));
      this.lists.set(list.name, { ...list, body, none, more, rows: new Map() });
    }
  }

  /** `ofPage`: the lists are those of one page. */
  show(lists, ofPage, calm) {
    for (const [name, state] of Object.entries(lists)) {
      const list = this.lists.get(name);
      if (list) this.showList(list, state, ofPage, calm);
    }
  }

  showList(list, { rows, names }, ofPage, calm) {
    const most = Math.max(1, ...rows.map((row) => row.count));
    const kept = new Set(rows.map((row) => row.name));
    for (const [name, row] of list.rows) {
      if (kept.has(name)) continue;
      if (row.contains(document.activeElement)) document.getElementById("main").focus({ preventScroll: true });
      row.remove();
      list.rows.delete(name);
    }
    const ordered = rows.map(({ name, count }) => {
      let row = list.rows.get(name);
      const isNew = row === undefined;
      if (isNew) list.rows.set(name, (row = this.rowOf(list, name)));
      row.firstChild.firstChild.style.setProperty("--share", count / most);
      const text = number(count);
      if (row.lastChild.textContent !== text) {
        setText(row.lastChild, text);
        if (!calm) flash(row.lastChild);
      }
      return row;
    });
    arrange(list.body, ordered);
    setText(list.none, ofPage && list.name === "exit_pages" ? "Not counted for one page alone" : (list.noneText ?? "Nothing in this period"));
    list.none.hidden = rows.length > 0;
    setText(list.more, names > rows.length ? `${number(rows.length)} of ${number(names)}` : "");
  }

  rowOf(list, name) {
    const text = untrusted(list.filters ? element("button", { type: "button", class: "link" }) : element("span", { class: "cut" }), name, {
      whenEmpty: list.empty,
    });
    if (list.filters) text.addEventListener("click", () => this.choose(name));
    const head = element("th", { scope: "row" }, element("div", { class: "fill" }), element("div", { class: "name" }, text));
    return element("tr", {}, head, element("td", { class: "number" }));
  }
}

// Brings the children into this order without moving the one that holds the focus: a moved element would lose it.
function arrange(parent, ordered) {
  const pinned = ordered.findIndex((node) => node.parentNode === parent && node.contains(document.activeElement));
  if (pinned < 0) {
    ordered.forEach((node, i) => parent.children[i] === node || parent.insertBefore(node, parent.children[i] ?? null));
    return;
  }
  if (ordered.every((node, i) => parent.children[i] === node)) return;
  ordered.slice(0, pinned).forEach((node) => parent.insertBefore(node, ordered[pinned]));
  ordered.slice(pinned + 1).forEach((node) => parent.append(node));
}

export class FunnelView {
  constructor() {
    this.section = document.getElementById("funnel");
    this.list = document.getElementById("funnel-steps");
  }

  show(funnel) {
    const steps = funnel?.steps ?? [];
    this.section.hidden = steps.length === 0;
    while (this.list.children.length > steps.length) this.list.lastChild.remove();
    steps.forEach((step, i) => {
      const item = this.list.children[i] ?? this.list.appendChild(this.itemOf());
      const [page, track, count, drop] = item.children;
      untrusted(page, step.page);
      const ofFirst = share(step.sessions, steps[0].sessions) ?? 0;
      track.firstChild.style.setProperty("--share", ofFirst);
      setText(count, `${number(step.sessions)} · ${percent(ofFirst)}`);
      const before = i > 0 ? steps[i - 1].sessions : 0;
      setText(drop, before > 0 ? `${percent(step.sessions / before)} of the step before` : "");
    });
  }

  itemOf() {
    return element(
      "li",
      {},
      element("span", { class: "cut" }),
      element("div", { class: "track", "aria-hidden": "true" }, element("div")),
      element("span", { class: "number" }),
      element("span", { class: "drop" }),
    );
  }
}
