// Hits over time: fills the gaps of a series, draws it with Chart.js and as a table.
import { element, number, plural, setText, serverNow, shortNumber } from "./common.js";

const pad = (n) => String(n).padStart(2, "0");
const kPointsMax = 1500; // a guard: an axis of more is not readable, and a wrong date must not freeze the page

/** Keys as the server writes them, in UTC: "2026-11", "2026-11-25", "2026-11-25 13", "2026-11-25 13:07". */
export function keyOf(date, unit) {
  const month = `${String(date.getUTCFullYear()).padStart(4, "0")}-${pad(date.getUTCMonth() + 1)}`;
  if (unit === "month") return month;
  const day = `${month}-${pad(date.getUTCDate())}`;
  if (unit === "day") return day;
  const hour = `${day} ${pad(date.getUTCHours())}`;
  return unit === "hour" ? hour : `${hour}:${pad(date.getUTCMinutes())}`;
}

export function dateOf(key) {
  const [, year, month, day, hour, minute] = /^(\d{4})-(\d\d)(?:-(\d\d)(?: (\d\d)(?::(\d\d))?)?)?/.exec(key) ?? [];
  return year ? new Date(Date.UTC(+year, month - 1, +(day ?? 1), +(hour ?? 0), +(minute ?? 0))) : null;
}

function next(date, unit) {
  if (unit === "month") return new Date(Date.UTC(date.getUTCFullYear(), date.getUTCMonth() + 1, 1));
  return new Date(date.getTime() + { minute: 60e3, hour: 3600e3, day: 86400e3 }[unit]);
}

/** The first and last key of the axis: the filter's period up to now, and whatever points lie outside of it. */
function bounds(filter, unit, points) {
  const now = keyOf(serverNow(), unit);
  let begin = points[0]?.at ?? now;
  let end = points.at(-1)?.at ?? now;
  if (filter.period === "30m") {
    // The window moves on with the clock: what fell out of it is not shown.
    const last = end > now ? end : now;
    return [keyOf(new Date(dateOf(last).getTime() - 29 * 60e3), unit), last];
  }
  const from = filter.from && filter.period !== "all" ? keyOf(dateOf(filter.from), unit) : begin;
  const to = filter.to ? keyOf(new Date(dateOf(filter.to).getTime() + 86399e3), unit) : now;
  if (from < begin) begin = from;
  const stop = to < now ? to : now;
  if (stop > end) end = stop;
  return [begin, end];
}

/** `points` with zeros where the server left gaps. */
export function filled(filter, { unit, points }) {
  const known = new Map(points.map((p) => [p.at, p]));
  const [begin, end] = bounds(filter, unit, points);
  const all = [];
  for (let date = dateOf(begin); date && all.length < kPointsMax; date = next(date, unit)) {
    const at = keyOf(date, unit);
    if (at > end) break;
    all.push(known.get(at) ?? { at, hits: 0, views: 0 });
  }
  return all;
}

const utc = (options) => new Intl.DateTimeFormat("en-GB", { timeZone: "UTC", ...options });
const monthText = utc({ month: "short", year: "numeric" });
const dayText = utc({ day: "numeric", month: "short" });
const longDayText = utc({ weekday: "short", day: "numeric", month: "short", year: "numeric" });

function axisLabel(at, unit, manyDays) {
  const date = dateOf(at);
  if (unit === "month") return monthText.format(date);
  if (unit === "day") return dayText.format(date);
  if (unit === "minute") return at.slice(11);
  return manyDays ? [`${at.slice(11)}:00`, dayText.format(date)] : `${at.slice(11)}:00`;
}

function longLabel(at, unit) {
  const date = dateOf(at);
  if (unit === "month") return monthText.format(date);
  if (unit === "day") return longDayText.format(date);
  return unit === "hour" ? `${longDayText.format(date)}, ${at.slice(11)}:00` : at;
}

export class SeriesView {
  constructor() {
    this.canvas = document.getElementById("chart");
    this.rows = document.getElementById("series-rows");
    this.note = document.getElementById("series-note");
    this.details = document.getElementById("series-details");
    this.details.addEventListener("toggle", () => this.showTable());
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.recolour());
    this.shown = "";
  }

  show(filter, series) {
    this.unit = series.unit;
    this.points = filled(filter, series);
    const state = JSON.stringify([this.unit, this.points]);
    if (state === this.shown) return;
    this.shown = state;
    const hits = this.points.reduce((sum, p) => sum + p.hits, 0);
    const views = this.points.reduce((sum, p) => sum + p.views, 0);
    const peak = this.points.reduce((best, p) => (p.hits > best.hits ? p : best), { hits: 0 });
    const most = peak.hits > 0 ? `; peak: ${number(peak.hits)} on ${longLabel(peak.at, this.unit)}` : "";
    setText(this.note, `By ${this.unit}, UTC: ${plural(hits, "hit")}, ${plural(views, "page view")}${most}`);
    this.canvas.setAttribute("aria-label", "Chart of hits and page views over time; the same as a table follows");
    this.draw();
    this.showTable();
  }

  draw() {
    if (!window.Chart) {
      // Without the chart the table says the same.
      this.canvas.parentElement.hidden = true;
      this.details.open = true;
      return;
    }
    const manyDays = this.unit === "hour" && this.points[0]?.at.slice(0, 10) !== this.points.at(-1)?.at.slice(0, 10);
    const labels = this.points.map((p) => axisLabel(p.at, this.unit, manyDays));
    this.chart ??= this.made();
    const [views, hits] = this.chart.data.datasets;
    this.chart.data.labels = labels;
    views.data = this.points.map((p) => p.views);
    hits.data = this.points.map((p) => p.hits);
    this.chart.update("none");
  }

  made() {
    const style = getComputedStyle(document.documentElement);
    const [views, hits, edge, text, line] = ["--chart-views", "--chart-hits", "--chart-edge", "--quiet", "--line"].map((name) => style.getPropertyValue(name).trim());
    const datasets = [
      { type: "line", label: "Page views", data: [], cubicInterpolationMode: "monotone", borderWidth: 2, pointRadius: 0, pointHitRadius: 12,
        pointHoverRadius: 4, borderColor: views, backgroundColor: views },
      { type: "bar", label: "Hits", data: [], borderRadius: 4, maxBarThickness: 36, categoryPercentage: 0.85, barPercentage: 0.9,
        backgroundColor: hits, borderColor: edge, borderWidth: 1 },
    ];
    const options = {
      animation: false,
      maintainAspectRatio: false,
      font: { family: style.fontFamily, size: 12 },
      interaction: { mode: "index", intersect: false },
      scales: {
        x: { grid: { display: false }, ticks: { color: text, maxRotation: 0, autoSkip: true, autoSkipPadding: 14 } },
        y: { beginAtZero: true, suggestedMax: 4, ticks: { color: text, precision: 0, maxTicksLimit: 6, callback: shortNumber },
          grid: { color: line, drawBorder: false } },
      },
      plugins: {
        legend: { align: "end", labels: { color: text, boxWidth: 12, boxHeight: 12 } },
        tooltip: { callbacks: { title: ([item]) => longLabel(this.points[item.dataIndex].at, this.unit) } },
      },
    };
    return new Chart(this.canvas, { data: { labels: [], datasets }, options });
  }

  recolour() {
    this.chart?.destroy();
    this.chart = null;
    if (this.points) this.draw();
  }

  // Built only while it is open: a year of days need not be kept in the page for nobody.
  showTable() {
    if (!this.details.open || !this.points) return;
    while (this.rows.rows.length > this.points.length) this.rows.lastChild.remove();
    this.points.toReversed().forEach((point, i) => {
      const row = this.rows.rows[i] ?? this.rows.appendChild(element("tr", {}, element("th", { scope: "row" }), element("td", { class: "number" }), element("td", { class: "number" })));
      setText(row.cells[0], longLabel(point.at, this.unit));
      setText(row.cells[1], number(point.hits));
      setText(row.cells[2], number(point.views));
    });
  }
}
