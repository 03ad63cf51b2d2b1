// The page of what holds in which home: a line for each case, a column for each home.
#include <gtest/gtest.h>

#include <algorithm>
#include <cctype>

#include "tests/contract/home.hpp"

namespace lungo::contract {

namespace {

struct Chapter {
  std::string_view title;
  std::vector<std::string_view> suites;
};

// What is in none of them comes at the end, by itself.
const std::vector<Chapter>& chapters() {
  static const std::vector<Chapter> all{
      {"Appending", {"Appends", "Appenders", "Conditions", "Ids"}},
      {"Reading", {"Reads", "ReadingBack", "FileRanges", "LookingUp", "Notifications"}},
      {"Topics and positions", {"Topics", "Positions"}},
      {"Sharing partitions", {"Memberships"}},
      {"The framework over it",
       {"EventStores", "Shapes", "Deciders", "DeciderSnapshots", "Subscriptions", "Processes", "Timers", "ParkedEvents",
        "SpreadRows"}},
  };
  return all;
}

/// "ReadingBack" + "GoesOn2" is "Reading back goes on 2".
std::string sentence_of(std::string_view suite, std::string_view name) {
  std::string sentence;
  for (const char letter : std::string(suite) + std::string(name)) {
    const auto is_digit = [](char c) { return std::isdigit(static_cast<unsigned char>(c)) != 0; };
    const bool is_number = is_digit(letter) && !sentence.empty() && !is_digit(sentence.back());
    const bool begins = is_number || std::isupper(static_cast<unsigned char>(letter)) != 0;
    if (begins && !sentence.empty()) sentence += ' ';
    sentence += begins && !sentence.empty() ? static_cast<char>(std::tolower(static_cast<unsigned char>(letter))) : letter;
  }
  if (const std::size_t found = sentence.find("kafka"); found != std::string::npos) sentence[found] = 'K';
  return sentence;
}

struct Case {
  std::string suite;
  std::string name;
  int line = 0;
};

/// The cases that run over homes, each once, those of a suite as they stand in its file, in whichever order they run.
std::vector<Case> cases() {
  std::vector<Case> found;
  const testing::UnitTest& tests = *testing::UnitTest::GetInstance();
  for (int i = 0; i < tests.total_test_suite_count(); ++i) {
    const testing::TestSuite& suite = *tests.GetTestSuite(i);
    const std::string_view full = suite.name();
    const std::size_t slash = full.find('/');
    if (slash == std::string_view::npos) continue;
    for (int j = 0; j < suite.total_test_count(); ++j) {
      const testing::TestInfo& test = *suite.GetTestInfo(j);
      const std::string_view name = test.name();
      Case one{std::string(full.substr(slash + 1)), std::string(name.substr(0, name.find('/'))), test.line()};
      const bool known = std::ranges::any_of(found, [&](const Case& c) { return c.suite == one.suite && c.name == one.name; });
      if (!known) found.push_back(std::move(one));
    }
  }
  std::ranges::stable_sort(found, {}, &Case::line);
  return found;
}

std::string answer_of(const HomeKind& kind, const Case& one) {
  const auto refusal = kind.refusals.find(one.suite + "." + one.name);
  if (refusal == kind.refusals.end()) return "holds";
  const auto& [code, words] = refusal->second;
  return (code ? "`" + std::string(to_string(*code)) + "`: " : "no: ") + std::string(words);
}

/// One of each column, in their order.
std::vector<const HomeKind*> columns() {
  std::vector<const HomeKind*> found;
  for (const HomeKind& kind : homes()) {
    const bool known = std::ranges::any_of(found, [&](const HomeKind* other) { return other->column == kind.column; });
    if (!known) found.push_back(&kind);
  }
  return found;
}

std::string table_of(const std::vector<Case>& cases) {
  std::string head = "| promise |";
  std::string rule = "| --- |";
  for (const HomeKind* home : columns()) {
    head += " " + home->column + " |";
    rule += " --- |";
  }
  std::string text = head + "\n" + rule + "\n";
  for (const Case& one : cases) {
    text += "| " + sentence_of(one.suite, one.name) + " |";
    for (const HomeKind* home : columns()) text += " " + answer_of(*home, one) + " |";
    text += "\n";
  }
  return text;
}

/// Takes the cases of these suites out of `rest`, suite by suite.
std::vector<Case> taken(std::vector<Case>& rest, const std::vector<std::string_view>& suites) {
  std::vector<Case> found;
  for (const std::string_view suite : suites) {
    const auto others = std::stable_partition(rest.begin(), rest.end(), [&](const Case& one) { return one.suite == suite; });
    found.insert(found.end(), std::make_move_iterator(rest.begin()), std::make_move_iterator(others));
    rest.erase(rest.begin(), others);
  }
  return found;
}

constexpr std::string_view kIntroduction = R"(# What holds in which home

A home is what an application opens its log in; all have the same ports, `event_log.hpp` and `membership.hpp`. Each line here is a case
of the suite in [tests/contract](../../tests/contract/home.hpp), which runs over every home: *holds* was seen there, and so was the
error, or the difference, where a home does not keep the promise.

)";

// What no case can show, since it takes brokers that fail in a certain way, or somebody else.
constexpr std::string_view kResidualRisks = R"(
## What is left on Apache Kafka

No case shows these, as they take brokers that fail in a certain way, or somebody else who writes.

- **Acknowledged is not on a disk.** A broker acknowledges before it syncs. Where all replicas of a partition lose their power at once, what was
  answered may be gone, and so may the markers by which its transaction was committed. Whoever has decided on it is not told.
- **What the brokers lose is told, not mended.** Records whose commit was confirmed and that are not there when they are read back are an error
  in the log and in `lungo_kafka_missing_records_total`.
- **Late requests.** librdkafka 2.0.2 speaks the first protocol of transactions, which has no epoch for each of them. Brokers with part 1 of KIP-890
  (their setting `transaction.partition.verification.enable`) refuse a late request of a transaction that has ended. Older ones may take it:
  then a transaction stands open, and readers stop in front of it. A process that waits for the partition names it in the log, with the tool
  that finds what is open (`kafka-transactions.sh find-hanging`).
- **Foreign records.** Kafka lets everybody with the right to write append to a stream topic. While a process owns the partition such records are
  found and told (`lungo_kafka_foreign_records_total`), but they may have voided a condition. Those of a client whose partitioner is not Kafka's
  own (`murmur2_random` in librdkafka) may lie where their stream is not looked for.
- **Stored positions** are known by 31 bits about the last record below them: one history in 2,147,483,648 passes for another. A position at the
  partition's start, or with no record left between that and it, and one in a compacted topic are judged by the topic's id and range alone.
- **Take-overs** take the 6 s of a session and what the new owner has to read. Where the group's coordinator goes at the same moment as the owner
  they take longer than 15 s, as the brokers first have to notice that (9 s unless set otherwise).
)";

constexpr std::string_view kEnd = R"(
This page is printed, not written: `build/release/tests/contract/lungo_contract_tests --page > docs/reference/homes.md`. The test
`HomesPage.IsUpToDate` compares.
)";

}  // namespace

std::string page() {
  std::string text{kIntroduction};
  text += "| home | what it is |\n| --- | --- |\n";
  for (const HomeKind* home : columns()) text += "| " + home->column + " | " + home->about + " |\n";
  std::vector<Case> rest = cases();
  for (const Chapter& chapter : chapters()) {
    text += "\n## " + std::string(chapter.title) + "\n\n" + table_of(taken(rest, chapter.suites));
  }
  if (!rest.empty()) text += "\n## Other\n\n" + table_of(rest);
  text += kResidualRisks;
  return text += kEnd;
}

}  // namespace lungo::contract
