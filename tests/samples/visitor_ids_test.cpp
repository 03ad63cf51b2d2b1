#include "ingest/visitor_ids.hpp"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>
#include <set>
#include <string>

#include <lungo/log/ports.hpp>
#include "tests/support/random.hpp"
#include "tests/support/temp_directory.hpp"

namespace tracker {
namespace {

using lungo::test::TempDirectory;
constexpr std::chrono::sys_days kDay{std::chrono::days{19'000}};

class Bytes final : public lungo::Randomness {
 public:
  explicit Bytes(unsigned char value) : value_(value) {}
  void fill(std::span<std::byte> out) override { std::fill(out.begin(), out.end(), std::byte{value_}); }

 private:
  unsigned char value_;
};

lungo::Result<Secret> load_or_create(const std::string& directory, lungo::Randomness& random) {
  const lungo::PosixPorts ports;
  return Secret::load_or_create(ports.ports().storage, directory, random);
}

Secret secret_of(unsigned char value) {
  const TempDirectory directory;
  Bytes random{value};
  return load_or_create(directory.path(), random).value();
}

TEST(VisitorSecret, IsMadeOnceWithMode0600AndReadAgain) {
  const TempDirectory directory;
  Bytes first{1};
  Bytes second{2};
  const std::uint64_t hash = load_or_create(directory.path(), first).value().hash64("label", "text");
  const std::string path = std::string{directory.path()} + "/tracker-secret";
  struct stat status {};
  ASSERT_EQ(::stat(path.c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777, 0600U);
  EXPECT_EQ(status.st_size, 32);
  ::chmod(path.c_str(), 0644);
  EXPECT_EQ(load_or_create(directory.path(), second).value().hash64("label", "text"), hash);
  ASSERT_EQ(::stat(path.c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777, 0600U);
}

TEST(VisitorSecret, WhatACrashLeftOfItsMakingIsOverwritten) {
  const TempDirectory directory;
  std::ofstream{directory / "tracker-secret.tmp"} << std::string(50, 'x');
  Bytes random{1};
  ASSERT_TRUE(load_or_create(directory.path(), random));
  EXPECT_FALSE(std::filesystem::exists(directory / "tracker-secret.tmp"));
  EXPECT_EQ(std::filesystem::file_size(directory / "tracker-secret"), 32U);
}

TEST(VisitorSecret, DamagedFileIsRefusedAndNotReplaced) {
  for (const std::size_t size : {0, 9, 31, 33, 100}) {
    const TempDirectory directory;
    std::ofstream{directory / "tracker-secret"} << std::string(size, 'x');
    Bytes random{1};
    const lungo::Result<Secret> secret = load_or_create(directory.path(), random);
    ASSERT_FALSE(secret);
    EXPECT_EQ(secret.error().code(), lungo::Errc::corrupt);
    EXPECT_EQ(std::filesystem::file_size(directory / "tracker-secret"), size);
  }
}

TEST(VisitorIds, SameAddressAndAgentOfADayAreOneVisitor) {
  VisitorIds ids{secret_of(1)};
  const std::string one{ids.of(kDay, "10.0.0.1", "Firefox").id_text()};
  EXPECT_EQ(one, ids.of(kDay, "10.0.0.1", "Firefox").id_text());
  EXPECT_NE(one, ids.of(kDay, "10.0.0.2", "Firefox").id_text());
  EXPECT_NE(one, ids.of(kDay, "10.0.0.1", "Chrome").id_text());
  EXPECT_NE(one, ids.of(kDay + std::chrono::days{1}, "10.0.0.1", "Firefox").id_text());
  // The border between address and user agent counts.
  EXPECT_NE(ids.of(kDay, "10.0.0.1", "1Firefox").id_text(), ids.of(kDay, "10.0.0.11", "Firefox").id_text());
}

TEST(VisitorIds, AnotherSecretGivesOtherIds) {
  VisitorIds one{secret_of(1)};
  VisitorIds other{secret_of(2)};
  EXPECT_NE(one.of(kDay, "10.0.0.1", "Firefox").id_text(), other.of(kDay, "10.0.0.1", "Firefox").id_text());
}

TEST(VisitorIds, KnownAnswer) {
  // Computed by another implementation: HMAC-SHA256 under HMAC-SHA256(32 x 0x01, "visitor-day" 38 4a 00 00).
  VisitorIds ids{secret_of(1)};
  EXPECT_EQ(ids.of(kDay, "10.0.0.1", "Firefox").id_text(), "Y5NIBoTIqCuptgiUBpHtsw");
}

TEST(VisitorIds, MemoryIsBoundedAndIdsStayTheSame) {
  VisitorIds ids{secret_of(1)};
  const std::string first{ids.of(kDay, "address 0", "agent").id_text()};
  std::set<std::string> distinct;
  for (int i = 0; i < 150'000; ++i) distinct.emplace(ids.of(kDay, "address " + std::to_string(i), "agent").id_text());
  EXPECT_EQ(distinct.size(), 150'000U);
  EXPECT_EQ(first, ids.of(kDay, "address 0", "agent").id_text());
}

}  // namespace
}  // namespace tracker
