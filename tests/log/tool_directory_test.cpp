#include <lungo/log/tool_directory.hpp>

#include <gtest/gtest.h>

namespace lungo::test {
namespace {

TEST(ToolDirectory, IsToldFromAnAddress) {
  for (const char* address : {"kafka://localhost:9092/shop", "http://localhost", "kafka:localhost:9092/shop", "://"})
    EXPECT_TRUE(is_address(address)) << address;
  for (const char* directory : {"data", "/srv/data", "a:b", "./kafka:9092", "dir/kafka://x", "kafka", ""})
    EXPECT_FALSE(is_address(directory)) << directory;
}

}  // namespace
}  // namespace lungo::test
