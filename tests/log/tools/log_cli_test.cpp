// What all commands of `lungo log` have in common: help, refusals, places without a data directory, reading without a trace;
// and `dump`.
#include <sys/resource.h>
#include <sys/stat.h>

#include <filesystem>
#include <system_error>

#include "log/tools/log_dump.hpp"
#include "tests/log/tools/log_program.hpp"

namespace lungo::test {
namespace {

using LogCli = LogProgram;
using LogDump = LogProgram;

const std::vector<std::vector<std::string>> kCommands{{"topics", "create"},
                                                      {"topics", "list"},
                                                      {"topics", "describe"},
                                                      {"topics", "alter"},
                                                      {"topics", "delete"},
                                                      {"produce"},
                                                      {"consume"},
                                                      {"dump"},
                                                      {"stat"},
                                                      {"verify"},
                                                      {"backup"},
                                                      {"restore"},
                                                      {"copy"},
                                                      {"adopt"}};

TEST_F(LogCli, HelpOfEachCommandHasAnExampleAndSaysWhatJsonHolds) {
  for (std::vector<std::string> command : kCommands) {
    command.emplace_back("--help");
    const Finished help = log(command);
    EXPECT_EQ(help.status, 0) << command[0];
    EXPECT_NE(help.out.find("Example"), std::string::npos) << help.out;
    EXPECT_NE(help.out.find("lungo log " + command[0]), std::string::npos) << help.out;
    EXPECT_NE(help.out.find("--json"), std::string::npos) << help.out;
  }
  const Finished help = log({"--help"});
  EXPECT_EQ(help.status, 0);
  for (const char* word : {"topics", "produce", "consume", "dump", "stat", "verify", "backup", "restore", "copy", "adopt",
                           "--dir", "--json", "Exit status", "Begin with:"})
    EXPECT_NE(help.out.find(word), std::string::npos) << word;
}

TEST_F(LogCli, WhatNobodyKnowsIsToldWithTheNearest) {
  const std::pair<std::vector<std::string>, std::string> wrong[] = {
      {{"consume", "orders", "--folow"}, "no option --folow; did you mean --follow?\n`lungo log consume --help` says"},
      {{"produce", "orders", "--key-seperator=:"}, "no option --key-seperator; did you mean --key-separator?\n"},
      {{"topics", "create", "orders", "--jsn"}, "no option --jsn; did you mean --json?\n`lungo log topics create --help` says"},
      {{"cosnume", "orders"},
       "no command cosnume; did you mean consume? There are topics, produce, consume, dump, stat, verify, backup, restore, "
       "copy, adopt\n"},
      {{"topics", "lst"}, "no command lst; did you mean list? There are create, list, describe, alter, delete\n"},
      {{"topics"}, "A subcommand is required"},
      {{"consume"}, "TOPIC is required"},
      {{"consume", "orders", "--max", "few"}, "few"},
      {{"consume", "orders", "--max", "-5"}, "-5 is less than 0\n"},
      {{"consume", "orders", "--last", "-5"}, "-5 is less than 0\n"},
      {{}, "A subcommand is required"}};
  for (const auto& [arguments, answer] : wrong) {
    const Finished refused = log(arguments);
    EXPECT_EQ(refused.status, 2) << answer;
    EXPECT_EQ(refused.out, "");
    EXPECT_NE(refused.err.find(answer), std::string::npos) << refused.err;
  }
}

TEST_F(LogCli, PlacesWithoutADataDirectoryAreToldApartAndStayAsTheyAre) {
  std::filesystem::create_directory(directory / "empty");
  std::filesystem::create_directory(directory / "other");
  std::ofstream(directory / "file") << "text";
  std::ofstream(directory / "other" + "/photo.jpg") << "text";
  const std::pair<std::string, const char*> places[] = {{directory / "nowhere", "there is no directory"},
                                                        {directory / "file", "is a file, not a data directory"},
                                                        {directory / "empty", "is no data directory"},
                                                        {directory / "other", "is no data directory"}};
  for (const auto& [place, answer] : places) {
    for (const std::vector<std::string>& command : {std::vector<std::string>{"topics", "list"},
                                                    {"topics", "describe"},
                                                    {"topics", "delete", "a"},
                                                    {"produce", "a"},
                                                    {"consume", "a"},
                                                    {"stat"},
                                                    {"topics", "alter", "a", "--partitions", "2"}}) {
      std::vector<std::string> arguments{log_program()};
      arguments.insert(arguments.end(), command.begin(), command.end());
      arguments.insert(arguments.end(), {"--dir", place});
      const Finished refused = test::run(arguments);
      EXPECT_EQ(refused.status, 1) << command[0];
      EXPECT_NE(refused.err.find(answer), std::string::npos) << refused.err;
    }
  }
  const Finished mixed = test::run({log_program(), "topics", "create", "a", "--dir", directory / "other"});
  EXPECT_EQ(mixed.status, 1);
  EXPECT_NE(mixed.err.find("name an empty or a new one"), std::string::npos) << mixed.err;
  EXPECT_FALSE(std::filesystem::exists(directory / "nowhere"));
  EXPECT_TRUE(std::filesystem::is_empty(directory / "empty"));
  EXPECT_EQ(test::run({log_program(), "topics", "create", "a", "--dir", directory / "empty"}).status, 0);
}

TEST_F(LogCli, ReadingLeavesNoTrace) {
  make_orders(5, 2);
  const std::vector<std::vector<std::string>> reads{
      {"topics", "list"}, {"topics", "describe"},     {"consume", "orders"}, {"consume", "orders", "--last", "2", "--json"},
      {"stat"},           {"dump", data, "--records"}};
  const std::map<std::string, std::string> stopped = files();
  for (const std::vector<std::string>& command : reads) EXPECT_EQ(log(command).status, 0) << command[0];
  EXPECT_EQ(files(), stopped);
  {
    const std::shared_ptr<EventLog> writer = open_local(data).value();
    for (const std::vector<std::string>& command : reads) EXPECT_EQ(log(command).status, 0) << command[0];
  }
}

TEST_F(LogCli, FrontProgramRunsIt) {
  make_orders(1);
  const Finished list = test::run({std::string(LUNGO_PROGRAMS) + "/lungo", "log", "topics", "list", "--data", data});
  EXPECT_EQ(list.status, 0) << list.err;
  EXPECT_EQ(list.out, "topic\tpartitions\tkind\toffsets\norders\t1\tplain\t1\n");
}

TEST_F(LogCli, ReaderThatHasSeenEnoughIsNoFailure) {
  ASSERT_EQ(log({"topics", "create", std::string(240, 'x'), "--partitions", "300"}).status, 0);  // stat fills a pipe with it
  make_orders(1);
  const std::string pipe = directory / "pipe";
  ASSERT_EQ(::mkfifo(pipe.c_str(), 0600), 0);
  for (const std::string command : {"topics list", "topics describe", "stat", "dump", "topics create late"}) {
    // Who reads the pipe is gone before the first write.
    const Finished unread = shell("exec 4<>" + pipe + " 3>" + pipe + " 4<&-; log " + command + " >&3");
    EXPECT_EQ(unread.status, 0) << command;
    EXPECT_EQ(unread.err, "") << command;
    const Finished head = shell("{ log " + command + "; echo \"status $?\" >&2; } | head -n 1");
    EXPECT_EQ(head.err, "status 0\n") << command;
    EXPECT_EQ(lines_of(head.out), 1) << command;
    const Finished full = shell("log " + command + " >/dev/full");
    EXPECT_EQ(full.status, 1) << command;
    EXPECT_NE(full.err.find("standard output: No space left on device"), std::string::npos) << full.err;
  }
}

class DumpedOrders : public LogProgram {
 protected:
  DumpedOrders() {
    make_orders(0);
    for (const char* key : {"a", "b"})
      EXPECT_EQ(log({"produce", "orders", "--json"},
                    "{\"key\":\"" + std::string(key) + "\",\"value\":\"\\u001b[2J\",\"timestamp\":1714564800000}\n")
                    .status,
                0);
  }
  /// With the CRCs made the same.
  static std::string without_crc(const std::string& text) {
    return std::regex_replace(text, std::regex{"\"crc\":\\d+"}, "\"crc\":CRC");
  }
  const std::string segment = data + "/orders-0/00000000000000000000.log";
};

TEST_F(DumpedOrders, ArePrintedLetterByLetter) {
  const std::string text =
      "batch at 0: offsets 0 to 0 bytes=73 records=1 epoch=3 codec=none crc=ok time=2024-05-01T12:00:00.000Z\n"
      "  record 0 time=2024-05-01T12:00:00.000Z \"key\":\"a\" \"value\":\"\\u001b[2J\"\n"
      "batch at 73: offsets 1 to 1 bytes=73 records=1 epoch=4 codec=none crc=ok time=2024-05-01T12:00:00.000Z\n"
      "  record 1 time=2024-05-01T12:00:00.000Z \"key\":\"b\" \"value\":\"\\u001b[2J\"\n";
  const Finished dumped = log({"dump", segment, "--records"});
  EXPECT_EQ(dumped.status, 0) << dumped.err;
  EXPECT_EQ(dumped.out, "file " + segment + ", 146 bytes\n" + text + "1 file, 2 batches, 2 records, nothing damaged\n");
  EXPECT_EQ(log({"dump", data + "/orders-0", "--records"}).out, dumped.out);
  EXPECT_EQ(log({"dump", "--records"}).out, dumped.out);
  const std::string json = without_crc(log({"dump", segment, "--records", "--json"}).out);
  const std::string file = "\"file\":\"" + segment + "\"";
  const std::string first = "{\"kind\":\"batch\"," + file +
                            ",\"position\":0,\"firstOffset\":0,\"lastOffset\":0,\"bytes\":73,\"records\":1,\"epoch\":3,"
                            "\"codec\":\"none\",\"crc\":CRC,\"crcHolds\":true,\"baseTime\":\"2024-05-01T12:00:00.000Z\","
                            "\"maxTime\":\"2024-05-01T12:00:00.000Z\",\"timeOf\":\"create\",\"producer\":-1,"
                            "\"producerEpoch\":-1,\"baseSequence\":-1,\"control\":false}\n"
                            "{\"kind\":\"record\"," +
                            file +
                            ",\"position\":0,\"offset\":0,\"time\":\"2024-05-01T12:00:00.000Z\",\"key\":\"a\","
                            "\"value\":\"\\u001b[2J\",\"headers\":[]}\n";
  EXPECT_TRUE(json.starts_with(first)) << json;
  EXPECT_EQ(lines_of(json), 5);
}

TEST_F(DumpedOrders, DamageIsToldAndPassed) {
  {
    std::fstream file(segment, std::ios::in | std::ios::out | std::ios::binary);
    file.seekp(20);  // inside of the first batch's CRC
    file.put('\x55');
    file.seekp(0, std::ios::end);
    file << std::string(10, '\0');
  }
  const Finished dumped = log({"dump", segment});
  EXPECT_EQ(dumped.status, 1);
  EXPECT_EQ(dumped.err, "");
  EXPECT_NE(dumped.out.find("batch at 0: offsets 0 to 0 bytes=73 records=1 epoch=3 codec=none crc=WRONG"), std::string::npos);
  EXPECT_NE(dumped.out.find("batch at 73: offsets 1 to 1 bytes=73 records=1 epoch=4 codec=none crc=ok"), std::string::npos);
  EXPECT_NE(dumped.out.find("DAMAGE at 146, 10 bytes: too few bytes for a batch; up to the end of the file"),
            std::string::npos);
  EXPECT_TRUE(dumped.out.ends_with("1 file, 2 batches, 1 record, 2 damaged places\n")) << dumped.out;
  const std::string json = log({"dump", segment, "--json"}).out;
  EXPECT_NE(json.find(",\"position\":146,\"bytes\":10,\"what\":\"too few bytes for a batch\",\"atTheEnd\":true}\n"),
            std::string::npos);
  EXPECT_TRUE(json.ends_with("{\"kind\":\"sum\",\"files\":1,\"batches\":2,\"records\":1,\"damaged\":2}\n")) << json;
}

TEST_F(LogDump, CodecsAreReadAndPlacesWithoutSegmentsAreTold) {
  ASSERT_EQ(log({"topics", "create", "packed", "--partitions", "1", "--set", "compression.type=zstd"}).status, 0);
  std::string lines;
  for (int i = 0; i < 100; ++i) lines += "the same line again and again\n";
  ASSERT_EQ(log({"produce", "packed"}, lines).status, 0);
  const Finished dumped = log({"dump", data + "/packed-0", "--records"});
  EXPECT_EQ(dumped.status, 0);
  EXPECT_NE(dumped.out.find(" codec=zstd crc=ok"), std::string::npos) << dumped.out;
  EXPECT_NE(dumped.out.find("  record 99 "), std::string::npos);
  EXPECT_NE(log({"dump", directory / "nowhere"}).err.find("there is no file or directory"), std::string::npos);
  std::filesystem::create_directory(directory / "empty");
  const Finished none = log({"dump", directory / "empty"});
  EXPECT_EQ(none.status, 1);
  EXPECT_NE(none.err.find("holds no segments"), std::string::npos) << none.err;
  const Finished other = log({"dump", data + "/packed-0/00000000000000000000.index"});
  EXPECT_EQ(other.status, 2);
  EXPECT_NE(other.err.find("is no segment"), std::string::npos) << other.err;
}

TEST_F(LogDump, APipeIsNotWaitedFor) {
  make_orders(2);
  ASSERT_EQ(::mkfifo((data + "/orders-0/00000000000000000005.log").c_str(), 0600), 0);
  const Finished dumped = log({"dump"});
  EXPECT_EQ(dumped.status, 0) << dumped.err;
  EXPECT_TRUE(dumped.out.ends_with("1 file, 1 batch, 2 records, nothing damaged\n")) << dumped.out;
  const Finished refused = log({"dump", data + "/orders-0/00000000000000000005.log"});
  EXPECT_EQ(refused.status, 2);
  EXPECT_NE(refused.err.find("is neither a file nor a directory"), std::string::npos) << refused.err;
}

// What makes it fail here is the limit of open files, as a superuser may list everything.
TEST_F(LogDump, ADirectoryThatCanNotBeListedIsTold) {
  make_orders(2);
  // What UBSan meets for the first time it looks at through a pipe, which takes descriptors: so let it have met all of these.
  ASSERT_EQ(segment_files(data)->size(), 1u);
  ASSERT_FALSE(segment_files(data + "/nothing"));
  std::error_code problem;
  const std::filesystem::directory_iterator nothing{data + "/nothing", problem};
  ASSERT_TRUE(problem == std::errc::no_such_file_or_directory) << problem.message();
  rlimit before{};
  ASSERT_EQ(::getrlimit(RLIMIT_NOFILE, &before), 0);
  rlimit none = before;
  none.rlim_cur = 0;
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &none), 0);
  const Result<std::vector<std::string>> files = segment_files(data);
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &before), 0);
  ASSERT_FALSE(files);
  EXPECT_EQ(files.error(), Errc::io);
  EXPECT_EQ(files.error().text(), "list " + data + ": Too many open files");
  EXPECT_EQ(segment_files(data)->size(), 1u);
}

}  // namespace
}  // namespace lungo::test
