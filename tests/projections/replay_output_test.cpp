// What an attacker wrote into URLs drives no terminal, breaks no column and no JSON, whatever command prints it.
#include <algorithm>
#include <boost/json.hpp>
#include <sstream>

#include "projections/tools/printed_cells.hpp"
#include "tests/projections/replay_tool.hpp"

namespace lungo::test {
namespace {

using namespace std::string_view_literals;

TEST(PrintedLine, JsonKeepsTheValueAndItsDigits) {
  EXPECT_EQ(printable_json("{\"a\x7f\xc2\x85\":1}"), R"({"a\u007F\u0085":1})");
  EXPECT_EQ(printable_json("{\"a\xff\":1}"), R"({"a\uFFFD":1})");
  EXPECT_EQ(as_json_line("{\"n\":1.5,\"m\":18446744073709551615}"), "{\"n\":1.5,\"m\":18446744073709551615}");
  EXPECT_EQ(as_json_line("[1,\n 2]"), "[1,2]");
  EXPECT_EQ(as_json_line("no"), std::nullopt);
  EXPECT_EQ(as_json_line("\"\xff\""), std::nullopt);
}

const std::string kHostile = "/\x1b]0;owned\x07\t\n\r\x7f\xc2\x9b\xe2\x80\xae\xff\\";

class HostileReplayTool : public ReplayToolTest {
 protected:
  HostileReplayTool() {
    view(*store, "ann", kHostile).value();
    view(*store,
         "b\x1b[2Jo\xc2\x9b"
         "b",
         "/\x1b\xc2\x85")
        .value();
    engine->catch_up(std::chrono::seconds{10}).value();
  }
  static constexpr const char* kCommands[][4] = {{"list"},
                                                 {"status"},
                                                 {"show", "TopPages"},
                                                 {"show", "Visitors"},
                                                 {"events", "visit-ann"},
                                                 {"events", "--topic", "events"},
                                                 {"show", "TopPages", "\x1b[2J"},
                                                 {"show", "\x1b[2J\xc2\x9b"},
                                                 {"events", "visit-\x1b[2J"}};
  Ran run_one(const char* const (&command)[4], bool json) {
    std::vector<const char*> arguments;
    for (const char* word : command)
      if (word != nullptr) arguments.push_back(word);
    if (json) arguments.push_back("--json");
    return run(arguments, false);
  }
  static void expect_harmless(std::string_view text, std::string_view allowed) {
    for (std::size_t at = 0; at < text.size(); ++at) {
      const auto byte = static_cast<unsigned char>(text[at]);
      const bool control = byte < 0x20 || byte == 0x7f || (byte == 0xc2 && static_cast<unsigned char>(text[at + 1]) < 0xa0);
      EXPECT_FALSE((control && allowed.find(text[at]) == std::string_view::npos) || byte == 0xff) << at << " of " << text;
    }
  }
};

TEST_F(HostileReplayTool, NoCommandPrintsAControlCharacter) {
  for (const auto& command : kCommands) {
    const Ran text = run_one(command, false);
    expect_harmless(text.out, "\t\n");
    expect_harmless(text.err, "\n");
    const Ran json = run_one(command, true);
    expect_harmless(json.out, "\n");
    expect_harmless(json.err, "\n");
  }
}

TEST_F(HostileReplayTool, ColumnsStayColumns) {
  for (const auto& command : kCommands) {
    std::istringstream lines{run_one(command, false).out};
    std::string names;
    std::getline(lines, names);
    for (std::string line; std::getline(lines, line);)
      EXPECT_EQ(std::count(line.begin(), line.end(), '\t'), std::count(names.begin(), names.end(), '\t')) << line;
  }
}

TEST_F(HostileReplayTool, JsonIsValidAndKeepsTheBytes) {
  for (const auto& command : kCommands) {
    std::istringstream lines{run_one(command, true).out};
    for (std::string line; std::getline(lines, line);) {
      boost::system::error_code problem;
      EXPECT_TRUE(boost::json::parse(line, problem).is_object()) << line;  // refuses what is no UTF-8
    }
  }
  const std::string rows = run({"show", "TopPages", "--json"}, false).out;
  // kHostile in base64, as docs/reference/codec.md says
  EXPECT_NE(rows.find(R"({"key":{"$bytes":"LxtdMDtvd25lZAcJCg1/wpvigK7/XA=="},"views":1)"), std::string::npos) << rows;
  EXPECT_NE(rows.find(R"({"key":"/\u001b\u0085","views":1)"), std::string::npos) << rows;
}

TEST_F(ReplayToolTest, EventThatCanNotBeDecodedIsShownWithItsBytesAndDoesNotHideTheOthers) {
  AppendRequest request{.to = {"events", partition_of_stream("visit-ann", 2)}};
  const HeaderView headers[] = {{"l.t", as_bytes("PageViewed")}, {"l.s", as_bytes("0123456789abcdef")}};
  request.records
      .add({.timestamp = log->ports().clock.now(), .key = as_bytes("visit-ann"), .value = as_bytes("\x01"), .headers = headers})
      .value();
  append_wait(*log, std::move(request)).value();
  view(*store, "ann", "/last").value();
  const Ran events = run({"events", "visit-ann", "--json"}, false);
  EXPECT_EQ(events.status, 0) << events.err;
  EXPECT_NE(events.out.find(R"("event":{"$error":"unknown_shape)"), std::string::npos) << events.out;
  EXPECT_NE(events.out.find(R"("$bytes":"AQ=="}})"), std::string::npos) << events.out;
  EXPECT_NE(events.out.find(R"("url":"/last")"), std::string::npos) << events.out;
}

}  // namespace
}  // namespace lungo::test
