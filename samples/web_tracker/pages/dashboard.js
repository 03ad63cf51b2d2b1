// The dashboard: which filter is chosen, its view from the API, and what the socket says about it since.
import { LiveSocket, requestJson, serverNow, setText, showConnection, untrusted, visible } from "./common.js";
import { wordsOf } from "./dashboard_comparison.js";
import { HealthView } from "./dashboard_health.js";
import { FunnelView, ListsView, LiveView, TilesView } from "./dashboard_parts.js";
import { keyOf, SeriesView } from "./dashboard_series.js";

const byId = (id) => document.getElementById(id);
const kDefault = "30d";
const kPeriods = ["30m", "today", "7d", "30d", "12mo", "all"];

const tiles = new TilesView();
const live = new LiveView();
const lists = new ListsView((page) => choose(ofPage({ ...filter, page })));
const funnel = new FunnelView();
const series = new SeriesView();

let filter = filterOf(location.search); // what the address says: {period} or {from, to}, and perhaps {page}
let view = null; // what is shown; the socket's changes are merged into it
let following = false; // whether changes that come belong to `filter`
let refused = false; // the server said that there is no such filter: to ask again is of no use
let request = null;
let neverAnything = null; // whether the server has no events at all; null: not known

// ---- the filter and the address

function filterOf(search) {
  const query = new URLSearchParams(search);
  const page = query.get("page");
  const [from, to, period] = ["from", "to", "period"].map((name) => query.get(name));
  const time = from && to ? { from, to } : { period: kPeriods.includes(period) ? period : kDefault };
  return page ? ofPage({ ...time, page }) : time;
}

// Minutes are not counted page by page.
function ofPage(chosen) {
  return chosen.period === "30m" ? { ...chosen, period: "today" } : chosen;
}

const queryOf = (chosen) => new URLSearchParams(Object.entries(chosen).filter(([, value]) => value !== undefined)).toString();

function choose(chosen) {
  if (queryOf(chosen) === queryOf(filter)) return;
  filter = chosen;
  history.pushState(null, "", `?${queryOf(chosen)}`);
  filterChanged();
}

function filterChanged() {
  showFilter();
  following = refused = false;
  byId("failed").hidden = true;
  setState(view === null ? "loading" : "stale");
  load();
  socket.send({ type: "watch", ...filter });
}

function showFilter() {
  const period = filter.period ?? "custom";
  for (const radio of byId("filter").elements.period) radio.checked = radio.value === period;
  byId("custom").hidden = period !== "custom";
  const today = keyOf(serverNow(), "day");
  byId("from").value = filter.from ?? (byId("from").value || today);
  byId("to").value = filter.to ?? (byId("to").value || today);
  byId("chips").hidden = filter.page === undefined;
  if (filter.page !== undefined) untrusted(byId("page-name"), filter.page);
  byId("page-chip").title = byId("page-name").title;
}

// A view of another filter may still be on its way: both sides name theirs.
function isOfFilter(candidate) {
  const { period, from, to, page } = candidate.filter;
  if ((page ?? undefined) !== filter.page) return false;
  return filter.period ? period === filter.period : from === filter.from && to === filter.to;
}

byId("filter").addEventListener("change", ({ target }) => {
  if (target.name !== "period") return;
  const page = filter.page === undefined ? {} : { page: filter.page };
  if (target.value !== "custom") {
    choose(target.value === "30m" ? { period: "30m" } : { period: target.value, ...page });
    return;
  }
  byId("custom").hidden = false;
  if (view?.filter.from) [byId("from").value, byId("to").value] = [view.filter.from, view.filter.to];
});
byId("filter").addEventListener("submit", (event) => {
  event.preventDefault();
  let [from, to] = [byId("from").value, byId("to").value];
  if (from > to) [from, to] = [to, from];
  choose({ from, to, ...(filter.page === undefined ? {} : { page: filter.page }) });
});
function removePage() {
  const { page, ...time } = filter;
  choose(time);
  byId("filter").querySelector("input:checked").focus();
}
byId("page-chip").addEventListener("click", removePage);
byId("all-pages").addEventListener("click", removePage);
byId("all-time").addEventListener("click", () => choose({ ...filter, period: "all", from: undefined, to: undefined }));
addEventListener("popstate", () => {
  filter = filterOf(location.search);
  filterChanged();
});

// ---- the data

async function load() {
  request?.abort();
  request = new AbortController();
  const { signal } = request;
  try {
    const loaded = await requestJson(`/api/stats?${queryOf(filter)}`, { signal });
    // The socket may have been faster, and knows more by now.
    if (!signal.aborted && !following) show(loaded);
  } catch (error) {
    if (error.name !== "AbortError" && !following) showFailure(error);
  }
}

const socket = new LiveSocket({
  hello: () => [{ type: "watch", ...filter }],
  message: (message) => {
    if (message.type === "view" && isOfFilter(message.view)) {
      following = true;
      socket.taken();
      show(message.view);
    } else if (message.type === "view") {
      following = false;
    } else if (message.type === "change" && following) {
      merge(message);
    } else if (message.type === "error" && !refused) {
      showFailure(new Error(message.error));
      if (!following) socket.askAgain(() => !following && !refused);
    }
  },
  state: (state) => {
    showConnection(state);
    if (state === "closed") following = false;
    setText(byId("lost"), state === "closed" ? "The connection to the server is lost. Reconnecting; the figures below may be old." : "");
    if (view !== null && isOfFilter(view)) setState(state === "closed" ? "lost" : "shown");
    health.ask();
  },
});

const health = new HealthView(() => socket.last === "open");

function merge(change) {
  const points = new Map([...view.series.points, ...(change.points ?? [])].map((point) => [point.at, point]));
  const merged = { ...view, series: { ...view.series, points: [...points.values()].sort((a, b) => (a.at < b.at ? -1 : 1)) } };
  for (const part of ["totals", "comparison", "funnel", "live"]) if (part in change) merged[part] = change[part];
  merged.lists = { ...view.lists, ...change.lists };
  show(merged, false);
}

// ---- what is seen

function setState(state) {
  document.body.dataset.state = state;
}

function show(shown, calm = true) {
  view = shown;
  byId("failed").hidden = true;
  byId("main").setAttribute("aria-busy", "false");
  setState(socket.last === "closed" ? "lost" : "shown");
  const { against, note } = wordsOf(shown.comparison, shown.filter.to);
  const changed = tiles.show(totalsOf(shown), shown.comparison, against, calm);
  setText(byId("compared"), changed ? note : "");
  live.show(shown.live);
  lists.show(shown.lists, filter.page !== undefined, calm);
  funnel.show(shown.funnel);
  series.show(shown.filter, shown.series);
  showEmpty();
  byId("lists-note").hidden = shown.filter.period !== "30m";
  setText(byId("lists-note"), "The lists are those of today.");
  document.documentElement.dataset.ready = "true";
}

// What the server does not count for this filter is null; hits and views can be told from their points then.
function totalsOf({ totals, series: { points } }) {
  const known = Object.entries(totals ?? {}).filter(([, value]) => value !== null);
  const sum = (key) => points.reduce((all, point) => all + point[key], 0);
  return { hits: sum("hits"), views: sum("views"), ...Object.fromEntries(known) };
}

function isEmpty(candidate) {
  const { hits, views, sessions } = totalsOf(candidate);
  return !hits && !views && !sessions && !candidate.lists.events?.rows.length;
}

function showEmpty() {
  const nothing = isEmpty(view);
  byId("empty").hidden = !nothing;
  byId("figures").hidden = nothing;
  if (!nothing) {
    neverAnything = false;
    return;
  }
  if (filter.period === "all" && filter.page === undefined) neverAnything = true;
  else if (neverAnything === null) askForAnything();
  setText(byId("empty-title"), neverAnything ? "No visits yet" : "Nothing to show for this choice");
  setText(
    byId("empty-text"),
    neverAnything
      ? "This page fills by itself as soon as the first event arrives. Click through the demo shop in another tab and watch your own visit:"
      : "There may be visits at other times or on other pages. Or click through the demo shop in another tab and watch your own visit:",
  );
  byId("all-time").hidden = filter.period === "all" || neverAnything;
  byId("all-pages").hidden = filter.page === undefined;
}

// A new server and a quiet month look alike: all time tells them apart, once.
async function askForAnything() {
  neverAnything = false;
  try {
    neverAnything = isEmpty(await requestJson("/api/stats?period=all"));
  } catch {
    neverAnything = null; // not known: the next empty view asks again
    return;
  }
  if (isEmpty(view)) showEmpty();
}

function showFailure(error) {
  refused = error.status === 400;
  setText(byId("failed-text"), refused ? `There is no such view. ${visible(error.message)}` : visible(error.message));
  byId("retry").hidden = refused;
  byId("way-back").hidden = !refused;
  byId("failed").hidden = false;
  byId("main").setAttribute("aria-busy", "false");
  // Another choice's figures, or the outlines of none, would pass for the answer.
  if (view === null || !isOfFilter(view)) setState("failed");
  document.documentElement.dataset.ready = "true"; // the controls work: another period can be chosen
}

byId("way-back").addEventListener("click", () => {
  choose({ period: kDefault });
  byId("main").focus();
});
byId("retry").addEventListener("click", () => {
  byId("failed").hidden = true;
  if (document.body.dataset.state === "failed") setState("loading");
  load();
  if (!following) socket.send(...socket.hello());
});
byId("snippet").textContent = `<script defer src="${location.origin}/js/script.js"></script>`;
byId("copy").addEventListener("click", async () => {
  try {
    await navigator.clipboard.writeText(byId("snippet").textContent);
    setText(byId("copy"), "Copied");
  } catch {
    getSelection().selectAllChildren(byId("snippet")); // no clipboard without https: Ctrl+C does it
    setText(byId("copy"), "Press Ctrl+C");
  }
});

// The axis goes on with the clock, without an event.
setInterval(() => view && series.show(view.filter, view.series), 15000);

setState("loading");
showFilter();
load();
