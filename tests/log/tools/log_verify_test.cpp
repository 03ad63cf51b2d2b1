// `lungo log verify`, `backup` and `restore` as a user runs them.
#include "tests/log/tools/log_program.hpp"

namespace lungo::test {
namespace {

class LogVerify : public LogProgram {
 protected:
  void flip(const std::string& file, std::streamoff position) const {
    std::fstream stream(file, std::ios::binary | std::ios::in | std::ios::out);
    stream.seekg(position);
    const char byte = static_cast<char>(stream.get());
    stream.seekp(position);
    stream.put(static_cast<char>(byte ^ 1));
  }
  const std::string first = data + "/orders-0/00000000000000000000.log";
};

TEST_F(LogVerify, AWholeDirectoryIsFineAndStaysAsItIs) {
  make_orders(20);
  const auto before = files();
  const Finished verified = log({"verify"});
  EXPECT_EQ(verified.status, 0) << verified.err;
  EXPECT_NE(verified.out.find("20 records"), std::string::npos) << verified.out;
  EXPECT_NE(verified.out.find("nothing is wrong"), std::string::npos) << verified.out;
  EXPECT_EQ(verified.err, "");
  EXPECT_EQ(files(), before);
  EXPECT_EQ(test::run({log_program(), "verify", data, "orders"}).status, 0) << "the directory as the first name";
}

TEST_F(LogVerify, TellsWhatIsWrongWithStatusOne) {
  make_orders(20);
  flip(first, 100);
  const Finished verified = log({"verify"});
  EXPECT_EQ(verified.status, 1);
  EXPECT_NE(verified.out.find("error: orders-0/00000000000000000000.log: byte 0, "), std::string::npos) << verified.out;
  EXPECT_NE(verified.out.find("1 error, 0 warnings"), std::string::npos) << verified.out;
  const Finished json = log({"verify", "--json"});
  EXPECT_EQ(json.status, 1);
  EXPECT_NE(json.out.find("{\"kind\":\"finding\",\"severity\":\"error\",\"partition\":\"orders-0\",\"file\":"),
            std::string::npos)
      << json.out;
  EXPECT_NE(json.out.find("\"errors\":1,\"warnings\":0"), std::string::npos) << json.out;
}

TEST_F(LogVerify, WhatCannotBeCheckedIsStatusTwo) {
  EXPECT_EQ(log({"verify"}).status, 2) << "no directory";
  make_orders(1);
  const Finished unknown = log({"verify", "order"});
  EXPECT_EQ(unknown.status, 2);
  EXPECT_NE(unknown.err.find("no topic order"), std::string::npos) << unknown.err;
  const Finished elsewhere = log({"verify", "/nowhere/data"});
  EXPECT_EQ(elsewhere.status, 2);
  EXPECT_NE(elsewhere.err.find("no directory /nowhere/data"), std::string::npos) << elsewhere.err;
}

TEST_F(LogVerify, ABackupComesBack) {
  make_orders(20);
  const std::string copy = directory / "copy";
  const std::string restored = directory / "restored";
  const auto before = files();
  const Finished backed_up = test::run({log_program(), "backup", data, copy});
  ASSERT_EQ(backed_up.status, 0) << backed_up.err;
  EXPECT_NE(backed_up.out.find("1 partition, 20 records"), std::string::npos) << backed_up.out;
  EXPECT_EQ(files(), before);
  EXPECT_EQ(log({"backup", copy}).status, 1) << "something is there";
  const Finished snapshot = test::run({log_program(), "backup", data, directory / "second", "--snapshot", "--json"});
  ASSERT_EQ(snapshot.status, 0) << snapshot.err;
  EXPECT_NE(snapshot.out.find("\"records\":20"), std::string::npos) << snapshot.out;
  EXPECT_NE(snapshot.out.find("\"damaged\":[]"), std::string::npos) << snapshot.out;
  const Finished brought_back = test::run({log_program(), "restore", copy, restored, "--json"});
  ASSERT_EQ(brought_back.status, 0) << brought_back.err;
  EXPECT_NE(brought_back.out.find("\"records\":20"), std::string::npos) << brought_back.out;
  EXPECT_EQ(test::run({log_program(), "consume", "orders", "--dir", restored}).out, log({"consume", "orders"}).out);
  EXPECT_EQ(test::run({log_program(), "restore", copy, restored}).status, 1) << "something is there";
}

TEST_F(LogVerify, ABackupIsNotWrittenTo) {
  make_orders(20);
  const std::string copy = directory / "copy";
  ASSERT_EQ(log({"backup", copy}).status, 0);
  const Finished refused = test::run({log_program(), "topics", "create", "more", "--dir", copy});
  EXPECT_NE(refused.status, 0);
  EXPECT_NE(refused.err.find("is a backup: restore it"), std::string::npos) << refused.err;
  EXPECT_EQ(test::run({log_program(), "consume", "orders", "--dir", copy}).out, log({"consume", "orders"}).out);
  EXPECT_EQ(test::run({log_program(), "restore", copy, directory / "restored"}).status, 0) << "it is as it was";
  std::filesystem::remove(copy + "/lungo.backup");
  EXPECT_EQ(test::run({log_program(), "topics", "create", "more", "--dir", copy}).status, 0);
}

TEST_F(LogVerify, ABackupThatHasChangedOrWasCutOffIsRefused) {
  make_orders(20);
  const std::string copy = directory / "copy";
  ASSERT_EQ(log({"backup", copy}).status, 0);
  flip(copy + "/orders-0/00000000000000000000.log", 100);
  const Finished refused = test::run({log_program(), "restore", copy, directory / "restored"});
  EXPECT_EQ(refused.status, 1);
  EXPECT_NE(refused.err.find("has changed since it was made"), std::string::npos) << refused.err;
  std::filesystem::remove(copy + "/lungo.backup");
  const Finished cut_off = test::run({log_program(), "restore", copy, directory / "restored"});
  EXPECT_EQ(cut_off.status, 1);
  EXPECT_NE(cut_off.err.find("not finished"), std::string::npos) << cut_off.err;
}

}  // namespace
}  // namespace lungo::test
