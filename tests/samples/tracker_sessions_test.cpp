// Sessions, entry and exit pages over the real program: at the border of the line's own day, and where lines go back in time.
#include <gtest/gtest.h>

#include <algorithm>
#include <ctime>
#include <string>
#include <vector>

#include <lungo/framework/event_decoder.hpp>
#include <lungo/framework/event_store.hpp>

#include "model/events.hpp"
#include "tests/samples/tracker_fixture.hpp"

namespace lungo::test {
namespace {

using namespace std::chrono_literals;
using std::chrono::sys_days;
constexpr sys_days kSecondOfMarch = std::chrono::year{2024} / 3 / 2;

// `time` is "01/Mar/2024:23:59:58 +0200".
std::string line_of(const std::string& address, const std::string& time, const std::string& page) {
  return address + " - - [" + time + "] \"GET " + page + " HTTP/1.1\" 200 1 \"-\" \"Firefox\"\n";
}

// Visitors who come back now and then, in all for two days, of which the last second is `end`.
std::string two_days_until(std::chrono::sys_seconds end) {
  constexpr int kLines = 40'000;
  std::string lines;
  std::uint32_t random = 1;
  for (int i = 0; i < kLines; ++i) {
    random = random * 1'664'525 + 1'013'904'223;
    const std::time_t time = std::chrono::system_clock::to_time_t(end - (kLines - 1 - i) * 4s);
    char text[40];
    std::tm parts{};
    std::strftime(text, sizeof text, "%d/%b/%Y:%H:%M:%S +0000", ::gmtime_r(&time, &parts));
    lines += line_of("10.0.0." + std::to_string(random >> 24), text, "/page");
  }
  return lines;
}

// Time goes on in every partition: enough visitors later than all others, each of whom leaves a session that stays open.
constexpr int kLaterVisitors = 64;
std::string later(const std::string& time) {
  std::string lines;
  for (int i = 0; i < kLaterVisitors; ++i) lines += line_of("192.0.2." + std::to_string(i), time, "/later");
  return lines;
}

struct Ended {
  tracker::SessionEnded event;
  Timestamp time;
};

class TrackerSessions : public TrackerTest {
 protected:
  // The sessions that are over, by their beginning.
  [[nodiscard]] std::vector<Ended> ended() const {
    std::vector<Ended> found;
    const std::shared_ptr<EventLog> log = look_into(data());
    EventStore store{log};
    EventDecoder decoder{store.shapes()};
    decoder.add<tracker::SessionEnded>();
    const TopicInfo topic = log->topic("sessions").value();
    for (std::int32_t partition = 0; partition < topic.spec.partitions; ++partition) {
      PartitionReader reader{*log, topic, {topic.id, PartitionId{partition}, Offset{0}, kNoEpoch}};
      while (const Envelope* envelope = reader.next().value()) {
        const Decoded decoded = decoder.decode(*envelope).value();
        if (decoded.event == nullptr) continue;
        found.push_back({*static_cast<const tracker::SessionEnded*>(decoded.event), envelope->time});
      }
    }
    std::sort(found.begin(), found.end(), [](const Ended& a, const Ended& b) { return a.event.started < b.event.started; });
    return found;
  }
  [[nodiscard]] std::string rows(const char* table) const { return rows_of(data())[table]; }
};

TEST_F(TrackerSessions, SessionThatSpansMidnightEndsAtTheBorderOfTheLinesOwnDay) {
  // Two hours ahead of UTC: the border lies at 22:00 there, and UTC's own midnight is none.
  write(log(),
        line_of("10.0.0.1", "01/Mar/2024:23:50:00 +0200", "/a") + line_of("10.0.0.1", "01/Mar/2024:23:59:59 +0200", "/b") +
            line_of("10.0.0.1", "02/Mar/2024:00:00:00 +0200", "/c") + line_of("10.0.0.1", "02/Mar/2024:00:05:00 +0200", "/d") +
            later("02/Mar/2024:00:20:00 +0200") + line_of("10.0.0.2", "02/Mar/2024:01:59:00 +0200", "/x") +
            line_of("10.0.0.2", "02/Mar/2024:02:01:00 +0200", "/y") + later("02/Mar/2024:02:03:00 +0200"));
  const boost::json::object summary = import();
  std::vector<Ended> sessions = ended();
  std::erase_if(sessions, [](const Ended& session) { return session.event.entry_page == "/later"; });
  ASSERT_EQ(sessions.size(), 2U) << "the second day's first, and the one that spans the midnight of UTC";
  EXPECT_EQ(sessions[0].event.started, kSecondOfMarch - 2h - 10min);
  EXPECT_EQ(sessions[0].event.duration_seconds, 599);
  EXPECT_EQ(sessions[0].event.path, (std::vector<std::string>{"/a", "/b"}));
  EXPECT_EQ(sessions[0].event.exit_page, "/b");
  EXPECT_EQ(sessions[0].time, kSecondOfMarch - 2h) << "known to be over at the border";
  EXPECT_EQ(sessions[1].event.path, (std::vector<std::string>{"/c", "/d"}));
  EXPECT_EQ(sessions[1].time, kSecondOfMarch - 2h + 35min) << "half an hour after its last page";

  // By the day they began, on the clock of the line: {started, ended, bounces, pages, seconds}.
  const std::int64_t later_ended = kLaterVisitors;  // those of 00:20
  EXPECT_EQ(rows("SessionsPerDay"), "2024-03-01|1|1|0|2|599|\n2024-03-02|" + std::to_string(2 + 2 * kLaterVisitors) + "|" +
                                        std::to_string(1 + later_ended) + "|" + std::to_string(later_ended) + "|" +
                                        std::to_string(2 + later_ended) + "|300|\n");
  EXPECT_EQ(number(summary.at("sessions").as_object(), "started"), 3 + 2 * kLaterVisitors);
}

TEST_F(TrackerSessions, LinesThatGoBackOverMidnightJoinTheSessionOfTheirDay) {
  write(log(), line_of("10.0.0.1", "01/Mar/2024:23:59:30 +0000", "/a") +
                   line_of("10.0.0.1", "02/Mar/2024:00:00:00 +0000", "/c") +
                   line_of("10.0.0.1", "01/Mar/2024:23:59:01 +0000", "/back59") +
                   line_of("10.0.0.1", "02/Mar/2024:00:00:58 +0000", "/d") +
                   line_of("10.0.0.1", "01/Mar/2024:23:59:59 +0000", "/back1") +
                   line_of("10.0.0.1", "02/Mar/2024:00:00:57 +0000", "/e") + later("02/Mar/2024:00:40:00 +0000"));
  import();
  const std::vector<Ended> sessions = ended();
  ASSERT_EQ(sessions.size(), 2U);
  EXPECT_EQ(sessions[0].event.started, kSecondOfMarch - 59s);
  EXPECT_EQ(sessions[0].event.duration_seconds, 58);
  EXPECT_EQ(sessions[0].event.path, (std::vector<std::string>{"/a", "/back59", "/back1"}));
  EXPECT_EQ(sessions[0].time, kSecondOfMarch);
  EXPECT_EQ(sessions[1].event.started, kSecondOfMarch);
  EXPECT_EQ(sessions[1].event.duration_seconds, 58);
  EXPECT_EQ(sessions[1].event.path, (std::vector<std::string>{"/c", "/d", "/e"}));
}

TEST_F(TrackerSessions, EntryAndExitPagesCountPeoplesSuccessfulPages) {
  const std::string refused = "10.0.0.1 - - [01/Mar/2024:00:02:00 +0000] \"GET /secret HTTP/1.1\" 403 1 \"-\" \"Firefox\"\n";
  write(log(), line_at(0, "/style.css") + line_at(1, "/in?from=mail") + refused + line_at(3, "/middle") + line_at(4, "/out?x") +
                   line_at(5, "/logo.png") + line_at(6, "/bot", "Googlebot") +  // one session
                   line_at(60, "/in") +                                         // a bounce: entry and exit
                   line_at(120, "/open") + line_at(121, "/still open"));        // no exit yet
  import();
  EXPECT_EQ(rows("EntryPages"), "2024-03-01|/in|2|2|1|4|180|\n2024-03-01|/open|1|0|0|0|0|\n");
  EXPECT_EQ(rows("ExitPages"), "2024-03-01|/in|1|\n2024-03-01|/out|1|\n");
  EXPECT_EQ(rows("SessionsPerDay"), "2024-03-01|3|2|1|4|180|\n");
}

// What is in a file when it is followed is history: a clock that ran ahead of it would make all of it late.
TEST_F(TrackerSessions, FollowedFileHasTheSessionsOfAnImportedOne) {
  const auto now = std::chrono::floor<std::chrono::seconds>(std::chrono::system_clock::now());
  write(log(), two_days_until(now - 2h));
  const boost::json::object sessions = import_json(directory_ / "imported", {log()}).at("sessions").as_object();
  const std::int64_t started = number(sessions, "started");
  ASSERT_GT(started, 1'000);
  ASSERT_LT(number(sessions, "ended"), started);

  Program program{tracker_command(data(), {"--follow", log()})};
  std::shared_ptr<EventLog> beside;
  EXPECT_TRUE(eventually([&] {
    if (!beside) beside = look_into(data());
    return beside && records_in(*beside, "events") == 40'000 && ended().size() >= static_cast<std::size_t>(started);
  })) << "the clock ends what is open: "
      << ended().size();
  program.send(SIGTERM);
  EXPECT_EQ(program.wait(), 0) << program.err();
  const boost::json::object followed = boost::json::parse(run_tracker(data(), {"--exit", "--json"}).out).as_object();
  EXPECT_EQ(number(followed.at("sessions").as_object(), "started"), started);
  EXPECT_EQ(number(followed.at("sessions").as_object(), "ended"), started);
}

}  // namespace
}  // namespace lungo::test
