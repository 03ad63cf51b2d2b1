// What the changes beside the figures compare: only what is over, with as much of the period before.
import { dateOf } from "./dashboard_series.js";

const utc = (options) => new Intl.DateTimeFormat("en-GB", { timeZone: "UTC", ...options });
const dayText = utc({ day: "numeric", month: "short", year: "numeric" });
const kDay = 86400e3;

// [from, until) in days, as it is read: "19–24 Nov 2026"
const days = (from, until) => dayText.formatRange(dateOf(from), new Date(dateOf(until).getTime() - kDay));
const time = (key) => `${key.slice(11, 13)}:${key.slice(14) || "00"}`;

/** {against: what a figure's change is against; note: what all of them compare}; both are empty when nothing is compared. */
export function wordsOf(comparison, lastDay) {
  if (!comparison) return { against: "", note: "" };
  const { unit, from, until, before_from, before_until } = comparison;
  if (unit === "minute") {
    const against = `${time(before_from)} to ${time(before_until)}`;
    return { against, note: `Changes compare the minutes from ${time(from)} to ${time(until)} UTC, which are over, with ${against}.` };
  }
  if (unit === "hour") {
    const against = `the same hours of ${dayText.format(dateOf(before_from))}`;
    return { against, note: `Changes compare the hours until ${time(until)} UTC with ${against}. Visitors and sessions are counted by the day.` };
  }
  const against = days(before_from, before_until);
  const rest = until <= lastDay ? " Today is not over and left out." : "";
  return { against, note: `Changes compare ${days(from, until)} with ${against}.${rest}` };
}
