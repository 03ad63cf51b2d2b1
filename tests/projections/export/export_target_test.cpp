// What every target promises.
#include "export_target.hpp"

#include <gtest/gtest.h>

#include <lungo/log/ports.hpp>

#include "file_target.hpp"
#include "memory_target.hpp"
#include "tests/support/temp_directory.hpp"

namespace lungo::exporting {
namespace {

class ExportTargets : public testing::TestWithParam<std::string> {
 protected:
  ExportTargets() {
    if (GetParam() == "memory") {
      target = std::make_unique<MemoryTarget>();
    } else {
      target = FileTarget::open(ports.ports().storage, scratch / "deep/target").value();
    }
  }
  void put(const std::string& path, std::string_view text) {
    const std::unique_ptr<TargetFile> file = target->create(path).value();
    file->write(as_bytes(text)).value();
    file->close().value();
  }
  std::vector<std::string> names(const std::string& folder) {
    std::vector<std::string> out;
    for (const TargetEntry& entry : target->list(folder).value()) out.push_back(entry.name + (entry.is_folder ? "/" : ""));
    return out;
  }
  using Names = std::vector<std::string>;

  PosixPorts ports;
  test::TempDirectory scratch;
  std::unique_ptr<ExportTarget> target;
};

TEST_P(ExportTargets, AreEmptyAtFirst) { EXPECT_EQ(names(""), Names{}); }

TEST_P(ExportTargets, KeepFilesInFolders) {
  target->make_folder("a/b").value();
  target->make_folder("a/b").value();
  put("a/b/2", "two");
  put("a/b/1", std::string(1'000'000, 'x') + "one");
  put("z", "");
  EXPECT_EQ(names(""), (Names{"a/", "z"}));
  EXPECT_EQ(names("a"), Names{"b/"});
  EXPECT_EQ(names("a/b"), (Names{"1", "2"}));
  EXPECT_EQ(target->read("a/b/2", 3).value(), "two");
  EXPECT_EQ(target->read("a/b/1", 2'000'000).value().size(), 1'000'003u);
  EXPECT_EQ(target->read("z", 0).value(), "");
  EXPECT_EQ(target->read("a/b/2", 2).error(), Errc::too_large);
  EXPECT_EQ(target->read("a/b/3", 9).error(), Errc::not_found);
  EXPECT_EQ(target->list("a/c").error(), Errc::not_found);
}

TEST_P(ExportTargets, WriteInPieces) {
  const std::unique_ptr<TargetFile> file = target->create("f").value();
  std::string all;
  for (int i = 0; i < 2'000; ++i) {
    const std::string piece(static_cast<std::size_t>(i), static_cast<char>('a' + i % 26));
    file->write(as_bytes(piece)).value();
    all += piece;
  }
  file->write(as_bytes(std::string(600'000, '!'))).value();
  file->close().value();
  EXPECT_EQ(target->read("f", 10'000'000).value(), all + std::string(600'000, '!'));
}

TEST_P(ExportTargets, MakeNoFileTwice) {
  put("f", "first");
  EXPECT_EQ(target->create("f").error(), Errc::already_exists);
  EXPECT_EQ(target->read("f", 9).value(), "first");
  EXPECT_EQ(target->create("no/f").error(), Errc::not_found);
}

TEST_P(ExportTargets, RenameReplacesNothing) {
  target->make_folder("to").value();
  put("from", "1");
  target->rename("from", "to/f").value();
  EXPECT_EQ(names(""), Names{"to/"});
  EXPECT_EQ(target->read("to/f", 9).value(), "1");
  EXPECT_EQ(target->rename("from", "to/g").error(), Errc::not_found) << "it is done";
  put("from", "2");
  EXPECT_EQ(target->rename("from", "to/f").error(), Errc::already_exists);
  EXPECT_EQ(target->read("to/f", 9).value(), "1");
  EXPECT_EQ(target->read("from", 9).value(), "2");
  EXPECT_FALSE(target->rename("from", "nowhere/f"));
  EXPECT_EQ(target->read("from", 9).value(), "2");
}

TEST_P(ExportTargets, RemoveFoldersWithWhatIsInThem) {
  target->make_folder("a/b").value();
  put("a/b/f", "");
  put("ab", "");
  target->remove("a").value();
  EXPECT_EQ(names(""), Names{"ab"});
  target->remove("a").value();
  target->remove("ab").value();
  EXPECT_EQ(names(""), Names{});
}

TEST_P(ExportTargets, AreHeldByOne) {
  std::unique_ptr<TargetHold> hold = target->hold("first, pid 1").value();
  EXPECT_TRUE(hold->is_held());
  const Result<std::unique_ptr<TargetHold>> second = target->hold("second");
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error(), Errc::locked);
  EXPECT_NE(second.error().text().find("first, pid 1"), std::string::npos) << second.error();
  EXPECT_EQ(names(""), Names{}) << "what holds it is no file of an export";
  hold.reset();
  EXPECT_TRUE(target->hold("third"));
}

INSTANTIATE_TEST_SUITE_P(Of, ExportTargets, testing::Values("memory", "file"), [](const auto& test) { return test.param; });

// A kill between the two halves of a rename leaves both names.
TEST(FileTargets, ARenameThatWasHalfDoneIsDone) {
  PosixPorts ports;
  test::TempDirectory scratch;
  Storage& storage = ports.ports().storage;
  const std::unique_ptr<FileTarget> target = FileTarget::open(storage, scratch / "t").value();
  target->create("from").value()->close().value();
  storage.link(scratch / "t/from", scratch / "t/to").value();
  target->rename("from", "to").value();
  EXPECT_EQ(target->list("").value(), (std::vector<TargetEntry>{{"to", false}}));
}

}  // namespace
}  // namespace lungo::exporting
