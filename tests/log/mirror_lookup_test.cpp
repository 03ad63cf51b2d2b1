// Goal: who is about to append to a mirror's source finds in the mirror what was appended before, and what is in a condition's
// way, also where copies divide an append.
#include <gtest/gtest.h>

#include "tests/log/mirror_fixture.hpp"

namespace lungo::test {
namespace {

EncodedRecords records(std::string_view key, std::string_view id, int count, std::string_view value = "v") {
  EncodedRecords made;
  const HeaderView header{.name = kIdHeader, .value = as_bytes(id)};
  for (int i = 0; i < count; ++i) {
    RecordFields fields{
        .timestamp = Timestamp{std::chrono::seconds{1}}, .key = as_bytes(key), .value = as_bytes(value), .headers = {}};
    if (i == 0 && !id.empty()) fields.headers = {&header, 1};
    made.add(fields).value();
  }
  return made;
}

class MirrorLookUps : public Mirror {
 protected:
  void add(const std::string& key, const std::string& id) {
    source_.add({.key = key, .value = "v", .time = 1000 + source_.end, .id = id});
  }
  std::optional<Appended> find(std::string_view key, std::string_view id, int count, std::optional<Offset> since = Offset{0}) {
    return mirror_->find_appended(kEvents, records(key, id, count), since).value();
  }
};

TEST_F(MirrorLookUps, FindTheLatestRecordOfAKey) {
  open_with_topic();
  grow_source(100);
  fill(*mirror_, kEvents, source_, 13);
  for (int key = 0; key < 7; ++key) {
    const std::string name = "key " + std::to_string(key);
    std::optional<Offset> expected;
    for (const auto& [offset, record] : source_.records) {
      if (record.key == name) expected = Offset{offset};
    }
    ASSERT_TRUE(expected);
    EXPECT_EQ(mirror_->find_latest(kEvents, name, Offset{0}).value(), expected) << name;
    EXPECT_EQ(mirror_->find_latest(kEvents, name, *expected).value(), expected) << name;
    EXPECT_EQ(mirror_->find_latest(kEvents, name, expected->next()).value(), std::nullopt) << name;
  }
  EXPECT_EQ(mirror_->find_latest(kEvents, "nobody", Offset{0}).value(), std::nullopt);
}

TEST_F(MirrorLookUps, FindAnAppendThatCopiesHaveDivided) {
  open_with_topic();
  add("a", "");
  add("a", "one");
  for (int i = 0; i < 3; ++i) add("a", "");
  add("b", "one");
  for (const std::int64_t end : {3, 4, 6}) {
    ASSERT_TRUE(mirror_->append_copy(kEvents, source_.fetch(mirror_->end(kEvents)->value(), end)));
    ASSERT_TRUE(mirror_->commit(kEvents, Offset{end}));
  }
  for (const std::optional<Offset> since : {std::optional<Offset>{}, std::optional{Offset{0}}, std::optional{Offset{1}}}) {
    const std::optional<Appended> found = find("a", "one", 4, since);
    ASSERT_TRUE(found);
    EXPECT_EQ(found->first, Offset{1});
    EXPECT_EQ(found->end, Offset{5});
    EXPECT_TRUE(found->repeated);
    EXPECT_EQ(find("b", "one", 1, since)->first, Offset{5}) << "an id is its key's";
    EXPECT_FALSE(find("a", "two", 1, since).has_value());
    EXPECT_FALSE(find("a", "", 1, since).has_value());
  }
  EXPECT_FALSE(find("a", "one", 4, Offset{2}).has_value()) << "it lies below";
  const Result<std::optional<Appended>> other = mirror_->find_appended(kEvents, records("a", "one", 9), Offset{0});
  EXPECT_EQ(other.error(), Errc::invalid_argument) << "larger than what was written under the id";
}

TEST_F(MirrorLookUps, KnowTheIdsOfWhatIsCopiedAfterTheFirst) {
  open_with_topic();
  add("a", "one");
  fill(*mirror_, kEvents, source_, 13);
  ASSERT_TRUE(find("a", "one", 1, std::nullopt));  // the ids are read now, and kept
  add("a", "two");
  fill(*mirror_, kEvents, source_, 13);
  EXPECT_EQ(find("a", "two", 1, std::nullopt)->first, Offset{1});
  ASSERT_TRUE(mirror_->empty_from(kEvents, Offset{0}));
  EXPECT_FALSE(find("a", "two", 1, std::nullopt).has_value());
}

}  // namespace
}  // namespace lungo::test
