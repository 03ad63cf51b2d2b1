#include "export_names.hpp"

#include <gtest/gtest.h>

#include "tests/support/random.hpp"

namespace lungo::exporting {
namespace {

FileName file_of(std::int32_t partition, std::int64_t first, std::int64_t end, std::string extension = "json") {
  return {.span = {PartitionId{partition}, Offset{first}, Offset{end}}, .extension = std::move(extension)};
}

TEST(ExportNames, SayTopicPartitionAndOffsets) {
  EXPECT_EQ(to_string("clicks", file_of(3, 120, 500, "json.gz")), "clicks.3.00000000000000000120-00000000000000000499.json.gz");
}

TEST(ExportNames, AreTakenApartToTheSame) {
  test::Random random{7};
  constexpr std::string_view kChars = "abzAZ09._-";
  for (int i = 0; i < 2'000; ++i) {
    std::string topic;
    const std::size_t size = 1 + random.below(i % 10 == 0 ? 249 : 12);
    for (std::size_t c = 0; c < size; ++c) topic += kChars[random.below(kChars.size())];
    const auto first = static_cast<std::int64_t>(random.below(1'000'000'000'000));
    const char* const extensions[] = {"json", "json.gz", "json.zst", "avro", "batches"};
    const FileName file = file_of(static_cast<std::int32_t>(random.below(100)), first,
                                  first + 1 + static_cast<std::int64_t>(random.below(1'000)), extensions[random.below(5)]);
    const std::string name = to_string(topic, file);
    EXPECT_LE(name.size(), 255u);
    EXPECT_EQ(parse_file_name(topic, name), file) << name;
    EXPECT_EQ(topic_of(folder_of(topic)), topic);
    EXPECT_EQ(name.find('/'), std::string::npos);
    EXPECT_NE(folder_of(topic).front(), '.');
    EXPECT_NE(folder_of(topic).front(), '_') << "readers of the folder would pass over it";
  }
}

TEST(ExportNames, OfLongTopicsThatDifferAtTheEndDiffer) {
  const std::string topic(248, 'x');
  EXPECT_NE(to_string(topic + "a", file_of(0, 0, 1)), to_string(topic + "b", file_of(0, 0, 1)));
  EXPECT_EQ(parse_file_name(topic + "a", to_string(topic + "b", file_of(0, 0, 1))), std::nullopt);
}

TEST(ExportNames, OfOthersAreNotOurs) {
  for (const std::string_view name :
       {"", "clicks", "clicks.json", "clicks.3.json", "part-00000.json", "_SUCCESS", "clicks.3.120-499.json",
        "clicks.3.00000000000000000120-00000000000000000499.csv", "clicks.3.00000000000000000120-00000000000000000499json",
        "clicks.03.00000000000000000120-00000000000000000499.json", "clicks.-1.00000000000000000120-00000000000000000499.json",
        "clicks.3.00000000000000000500-00000000000000000499.json", "clicks.3.99999999999999999999-99999999999999999999.json",
        "clicks.3.00000000000000000120-09223372036854775807.json",
        "clicks.2147483648.00000000000000000120-00000000000000000499.json",
        "other.3.00000000000000000120-00000000000000000499.json", "clicks.3.0000000000000000+120-00000000000000000499.json",
        "Clicks.3.00000000000000000120-00000000000000000499.json",
        "clicks.3.00000000000000000120-00000000000000000499.json.tmp"}) {
    EXPECT_EQ(parse_file_name("clicks", name), std::nullopt) << name;
  }
  for (const std::string_view folder : {"", "_temporary", ".", "..", "%", "%clicks", "a/b", "a b", "%%_a"}) {
    EXPECT_EQ(topic_of(folder), std::nullopt) << folder;
  }
  EXPECT_EQ(topic_of(std::string(250, 'x')), std::nullopt);
}

TEST(ExportNames, OfHiddenTopicsAreShown) {
  EXPECT_EQ(folder_of("_secrets"), "%_secrets");
  EXPECT_EQ(folder_of(".."), "%..");
  EXPECT_EQ(topic_of("%.."), "..");
}

}  // namespace
}  // namespace lungo::exporting
