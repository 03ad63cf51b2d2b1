#include "client/owner_note.hpp"

#include <gtest/gtest.h>

#include "tests/support/random.hpp"

namespace lungo::test {
namespace {

const OwnerNote kNote{.member = "rdkafka-7b0c", .transactional_id = "shop.w.00ff", .endpoint = "10.0.0.7:8080"};

TEST(OwnerNote, IsFourWords) {
  EXPECT_EQ(format_owner_note(kNote).value(), "lungo1 rdkafka-7b0c shop.w.00ff 10.0.0.7:8080");
  EXPECT_EQ(parse_owner_note("lungo1 rdkafka-7b0c shop.w.00ff 10.0.0.7:8080").value(), kNote);
}

TEST(OwnerNote, AnyBytesComeBack) {
  OwnerNote odd{.member = "a client\tof %41", .transactional_id = "", .endpoint = "-"};
  EXPECT_EQ(format_owner_note(odd).value(), "lungo1 a%20client%09of%20%2541 - %2D");
  EXPECT_EQ(parse_owner_note(format_owner_note(odd).value()).value(), odd);
  odd.endpoint.clear();
  for (int byte = 0; byte < 256; ++byte) odd.endpoint += static_cast<char>(byte);
  EXPECT_EQ(parse_owner_note(format_owner_note(odd).value()).value(), odd);
}

TEST(OwnerNote, FieldsOfLaterVersionsArePassedOver) {
  EXPECT_EQ(parse_owner_note("lungo1 rdkafka-7b0c shop.w.00ff 10.0.0.7:8080 rack=7 %zz").value(), kNote);
}

TEST(OwnerNote, ANewerMajorIsRefusedByName) {
  const Result<OwnerNote> note = parse_owner_note("lungo2 whatever");
  ASSERT_FALSE(note);
  EXPECT_EQ(note.error(), Errc::newer_format);
  EXPECT_NE(note.error().text().find("version 2"), std::string_view::npos) << note.error();
}

TEST(OwnerNote, WhatIsNoNoteIsCorrupt) {
  for (const std::string_view text :
       {"", "lungo", "lungo1", "lungo1 a b", "lungo0 a b c", "lungo-1 a b c", "lungo1x a b c", "kafka1 a b c", "lungo1 a b %",
        "lungo1 a b %4", "lungo1 a b %zz", "lungo1 a b %41", "lungo1 a b %2d", "lungo1  b c"}) {
    const Result<OwnerNote> note = parse_owner_note(text);
    ASSERT_FALSE(note) << text;
    EXPECT_EQ(note.error(), Errc::corrupt) << text;
  }
}

TEST(OwnerNote, OneThatABrokerWouldRefuseIsNeverMade) {
  OwnerNote note = kNote;
  note.endpoint.assign(kOwnerNoteBytesMax, 'x');
  EXPECT_EQ(format_owner_note(note).error(), Errc::too_large);
  note.endpoint.assign(
      kOwnerNoteBytesMax - format_owner_note(OwnerNote{kNote.member, kNote.transactional_id, "x"}).value().size() + 1, 'x');
  EXPECT_EQ(format_owner_note(note).value().size(), kOwnerNoteBytesMax);
}

TEST(OwnerNote, GarbageNeverPassesForANoteThatItIsNot) {
  Random random{7};
  const std::string whole = format_owner_note(kNote).value();
  for (int i = 0; i < 20'000; ++i) {
    std::string text = whole;
    text[random.below(text.size())] = static_cast<char>(random.below(256));
    const Result<OwnerNote> note = parse_owner_note(text);
    if (note) {
      EXPECT_EQ(format_owner_note(*note).value(), text.substr(0, format_owner_note(*note).value().size())) << i;
    }
  }
}

}  // namespace
}  // namespace lungo::test
