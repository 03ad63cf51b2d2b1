#include "summary.hpp"

#include <algorithm>
#include <boost/json.hpp>
#include <cmath>
#include <iomanip>

#include "valid_utf8.hpp"

namespace tracker {
namespace {

using lungo::Result;
namespace json = boost::json;

constexpr std::size_t kTopPages = 20;

std::string status_text(std::int32_t status) { return std::to_string(1000 + status).substr(1); }

// A page on one line of a screen.
std::string short_page(std::string_view page) {
  constexpr std::size_t kShownMax = 160;
  return page.size() <= kShownMax ? printable(page) : printable(page.substr(0, kShownMax)) + "...";
}

json::object counts_of(const std::map<std::string, std::int64_t>& map) {
  json::object object;
  for (const auto& [key, count] : map) object[key] = count;
  return object;
}

json::object counts_of(const std::map<std::int32_t, std::int64_t>& statuses) {
  json::object object;
  for (const auto& [status, count] : statuses) object[status_text(status)] = count;
  return object;
}

json::object drops_of(const std::array<std::uint64_t, kDropReasons>& drops) {
  json::object object;
  for (std::size_t i = 0; i < kDropReasons; ++i) object[to_string(static_cast<DropReason>(i))] = drops[i];
  return object;
}

json::object import_of(const FileReport& file) {
  json::object drops;
  for (std::size_t i = 0; i < kDropReasons; ++i) {
    if (file.report.drops[i] == 0) continue;
    json::array first;
    for (const std::uint64_t line : file.report.positions[i]) first.emplace_back(line);
    drops[to_string(static_cast<DropReason>(i))] = json::object{{"lines", file.report.drops[i]}, {"first", std::move(first)}};
  }
  json::array steps;
  for (const StepCount& step : file.steps)
    steps.push_back(json::object{{"step", step.name}, {"lines", step.lines}, {"dropped", step.dropped}});
  return {{"path", valid_utf8(file.path)},
          {"lines", file.report.lines},
          {"events", file.report.events},
          {"drops", std::move(drops)},
          {"waiting_bytes", file.report.waiting ? file.report.waiting->bytes : 0},
          {"steps", std::move(steps)}};
}

Result<void> count_rows(Tracker& tracker, Summary& summary) {
  AddedProjections& rows = tracker.rows();
  Result<void> read =
      rows.hits_per_day.for_each([&](const std::string& day, const Hits& row) { summary.hits_per_day[day] = row.hits; });
  if (!read) return read;
  read = rows.status_codes.for_each(
      [&](const StatusCodes::Key& key, const Requests& row) { summary.hits_per_status[key.status] += row.hits; });
  if (!read) return read;
  read = rows.visitors.for_each([&](const Visitors::Key& key, const Visitors::State& row) {
    summary.visitors_per_day[key.day] += row.visitors;
    summary.visitors += row.visitors;
  });
  if (!read) return read;
  Sketch sketch;
  read = rows.visitor_sketch.for_each(
      [&](const std::string&, const VisitorSketch::State& row) { sketch_merge(sketch, row.registers); });
  if (!read) return read;
  summary.visitors_estimate = sketch_estimate(sketch);
  return rows.sessions_per_day.for_each([&](const std::string&, const SessionsPerDay::State& row) {
    summary.sessions.started += row.started;
    summary.sessions.ended += row.ended;
    summary.sessions.bounces += row.bounces;
    summary.sessions.pages += row.pages;
    summary.sessions.duration_seconds += row.duration_seconds;
  });
}

// Rows say how many sessions stopped at a step; whoever stopped later passed it too.
Result<void> count_funnel(Tracker& tracker, Summary& summary) {
  const std::vector<std::string>& steps = funnel().steps();
  std::vector<std::int64_t> stopped_at(steps.size() + 1);
  Result<void> read = tracker.rows().funnel.for_each([&](const Funnel::Key& key, const SessionCount& row) {
    if (key.funnel == funnel().name()) stopped_at.at(static_cast<std::size_t>(key.step)) += row.sessions;
  });
  if (!read) return read;
  std::int64_t passed = 0;
  for (std::size_t step = steps.size(); step > 0; --step) {
    passed += stopped_at[step];
    summary.funnel.emplace_back(steps[step - 1], passed);
  }
  std::reverse(summary.funnel.begin(), summary.funnel.end());
  return {};
}

}  // namespace

Result<Summary> summarize(Tracker& tracker) {
  Summary summary;
  summary.late = tracker.late();
  const ProgressBook::Totals totals = tracker.book().totals();
  summary.lines = totals.lines;
  summary.drops = totals.drops;
  summary.events = totals.lines;
  for (std::size_t i = 0; i < kDropReasons; ++i) {
    // The rest of a line that was imported in two pieces is no line of its own.
    if (static_cast<DropReason>(i) != DropReason::continued) summary.events -= totals.drops[i];
  }
  Result<void> counted = count_rows(tracker, summary);
  if (!counted) return counted.error();
  Result<std::vector<lungo::Projection<TopTargets>::Row>> top =
      tracker.rows().top_targets.top(kTopPages, &TopTargets::State::hits);
  if (!top) return top.error();
  for (const auto& row : *top) summary.top_pages.emplace_back(row.key, row.state.hits);
  counted = count_funnel(tracker, summary);
  if (!counted) return counted.error();
  return summary;
}

void print_json(std::ostream& out, const Summary& summary, const std::vector<FileReport>& files) {
  json::array pages;
  for (const auto& [page, hits] : summary.top_pages) pages.push_back(json::object{{"page", valid_utf8(page)}, {"hits", hits}});
  json::array steps;
  for (const auto& [step, sessions] : summary.funnel)
    steps.push_back(json::object{{"step", valid_utf8(step)}, {"sessions", sessions}});
  json::array imports;
  for (const FileReport& file : files) imports.push_back(import_of(file));
  const json::object object{{"lines", summary.lines},
                            {"events", summary.events},
                            {"drops", drops_of(summary.drops)},
                            {"hits_per_day", counts_of(summary.hits_per_day)},
                            {"hits_per_status", counts_of(summary.hits_per_status)},
                            {"top_pages", std::move(pages)},
                            {"distinct_visitors", summary.visitors},
                            {"distinct_visitors_per_day", counts_of(summary.visitors_per_day)},
                            {"distinct_visitors_estimate", std::llround(summary.visitors_estimate)},
                            {"sessions", json::object{{"started", summary.sessions.started},
                                                      {"ended", summary.sessions.ended},
                                                      {"bounces", summary.sessions.bounces},
                                                      {"pages", summary.sessions.pages},
                                                      {"duration_seconds", summary.sessions.duration_seconds}}},
                            {"late_in_this_run", summary.late},
                            {"funnel", std::move(steps)},
                            {"imports", std::move(imports)}};
  out << json::serialize(object) << '\n';
}

void print_text(std::ostream& out, const Summary& summary, const std::vector<FileReport>& files, bool verbose) {
  for (const FileReport& file : files) {
    out << file.path << ": " << file.report.lines << " lines read, " << file.report.events << " events added\n";
    for (std::size_t i = 0; i < kDropReasons; ++i) {
      if (file.report.drops[i] == 0) continue;
      out << "  dropped " << file.report.drops[i] << ": " << to_string(static_cast<DropReason>(i)) << ", first in line";
      for (const std::uint64_t line : file.report.positions[i]) out << ' ' << line;
      out << '\n';
    }
    for (const StepCount& step : file.steps) {
      if (verbose) out << "  step " << step.name << ": " << step.lines << " lines, " << step.dropped << " dropped\n";
    }
  }
  out << "\nIn all " << summary.lines << " lines, " << summary.events << " events";
  for (std::size_t i = 0; i < kDropReasons; ++i) {
    if (summary.drops[i] > 0) out << ", " << summary.drops[i] << " dropped (" << to_string(static_cast<DropReason>(i)) << ")";
  }
  out << "\n\nDay            Hits   Visitors\n";
  for (const auto& [day, hits] : summary.hits_per_day) {
    const auto visitors = summary.visitors_per_day.find(day);
    out << day << std::setw(9) << hits << std::setw(11) << (visitors == summary.visitors_per_day.end() ? 0 : visitors->second)
        << '\n';
  }
  out << "Distinct (day, address, user agent): " << summary.visitors << " (by sketch about "
      << std::llround(summary.visitors_estimate) << ")\n\nStatus      Hits\n";
  for (const auto& [status, hits] : summary.hits_per_status) {
    out << status_text(status) << std::setw(13) << hits << '\n';
  }
  out << "\n     Hits  Page\n";
  for (const auto& [page, hits] : summary.top_pages) out << std::setw(9) << hits << "  " << short_page(page) << '\n';
  const SessionsPerDay::State& sessions = summary.sessions;
  out << "\nSessions: " << sessions.started << " started, " << sessions.ended << " ended";
  if (sessions.ended > 0) {
    out << "; of those " << sessions.bounces * 100 / sessions.ended << " % saw one page, " << std::fixed << std::setprecision(1)
        << static_cast<double>(sessions.pages) / static_cast<double>(sessions.ended) << " pages and "
        << sessions.duration_seconds / sessions.ended << " s on average";
  }
  if (summary.late > 0) out << "\nLate in this run: " << summary.late << " events, older than what sessions wait for";
  out << "\nFunnel:";
  for (const auto& [step, count] : summary.funnel) out << "  " << step << " " << count;
  out << '\n';
}

}  // namespace tracker
