#include "web/rate_limit.hpp"

#include <gtest/gtest.h>

#include <boost/asio/ip/address.hpp>

namespace tracker {
namespace {

using boost::asio::ip::address;
using boost::asio::ip::address_v4;
using boost::asio::ip::make_address;
using lungo::Duration;
using lungo::Instant;
using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr Instant kStart{std::chrono::hours{1}};
const address kOne = make_address("192.0.2.1");

TEST(RateLimit, BurstThenNothingThenAsMuchAsComesBack) {
  RateLimit limit{Rate{2, 5}};
  for (int i = 0; i < 5; ++i) EXPECT_EQ(limit.take(kOne, 1, kStart), Duration::zero());
  EXPECT_EQ(limit.take(kOne, 1, kStart), milliseconds{500});
  EXPECT_GT(limit.take(kOne, 1, kStart + milliseconds{499}), Duration::zero());
  EXPECT_EQ(limit.take(kOne, 1, kStart + milliseconds{500}), Duration::zero());
  EXPECT_GT(limit.take(kOne, 1, kStart + milliseconds{500}), Duration::zero());
}

TEST(RateLimit, WhatIsRefusedTakesNothing) {
  RateLimit limit{Rate{1, 5}};
  EXPECT_EQ(limit.take(kOne, 3, kStart), Duration::zero());
  for (int i = 0; i < 10; ++i) EXPECT_EQ(limit.take(kOne, 3, kStart), seconds{1});
  EXPECT_EQ(limit.take(kOne, 2, kStart), Duration::zero());
}

TEST(RateLimit, ALookTakesNothing) {
  RateLimit limit{Rate{2, 1}};
  for (int i = 0; i < 3; ++i) EXPECT_EQ(limit.wait(kOne, 1, kStart), Duration::zero());
  EXPECT_EQ(limit.size(), 0U);
  EXPECT_EQ(limit.take(kOne, 1, kStart), Duration::zero());
  for (int i = 0; i < 3; ++i) EXPECT_EQ(limit.wait(kOne, 1, kStart), milliseconds{500});
  EXPECT_EQ(limit.wait(kOne, 1, kStart + milliseconds{500}), Duration::zero());
}

TEST(RateLimit, NeverMoreThanABurstIsSaved) {
  RateLimit limit{Rate{1000, 5}};
  EXPECT_EQ(limit.take(kOne, 1, kStart), Duration::zero());
  const Instant later = kStart + std::chrono::hours{1000};
  EXPECT_EQ(limit.take(kOne, 5, later), Duration::zero());
  EXPECT_GT(limit.take(kOne, 1, later), Duration::zero());
}

TEST(RateLimit, MoreThanABurstIsTakenOnceAndPaidForAfterwards) {
  RateLimit limit{Rate{1, 5}};
  EXPECT_EQ(limit.take(kOne, 100, kStart), Duration::zero());
  EXPECT_EQ(limit.take(kOne, 100, kStart), seconds{100}) << "95 that it owes, and a burst";
  EXPECT_EQ(limit.take(kOne, 1, kStart), seconds{96});
  EXPECT_EQ(limit.wait(kOne, 1, kStart), seconds{96});
  EXPECT_GT(limit.take(kOne, 1, kStart + milliseconds{95'999}), Duration::zero());
  EXPECT_EQ(limit.take(kOne, 1, kStart + seconds{97}), Duration::zero());
}

TEST(RateLimit, BatchesAreNotFasterThanSingleEvents) {
  RateLimit limit{Rate{1, 5}};
  int events = 0;
  for (int second = 0; second < 1000; ++second)
    if (limit.take(kOne, 100, kStart + seconds{second}) == Duration::zero()) events += 100;
  EXPECT_LE(events, 1000 + 100);
}

TEST(RateLimit, NobodyOwesMoreThanAnHour) {
  RateLimit limit{Rate{0.001, 1}};
  EXPECT_EQ(limit.take(kOne, 100, kStart), Duration::zero());
  EXPECT_EQ(limit.take(kOne, 1, kStart), std::chrono::hours{1} + seconds{1000});
}

TEST(RateLimit, OtherAddressesAreNotTouched) {
  RateLimit limit{Rate{1, 1}};
  EXPECT_EQ(limit.take(kOne, 1, kStart), Duration::zero());
  EXPECT_GT(limit.take(kOne, 1, kStart), Duration::zero());
  EXPECT_EQ(limit.take(make_address("192.0.2.2"), 1, kStart), Duration::zero());
}

TEST(RateLimit, AddressesThatOneHolderHasAreOne) {
  RateLimit limit{Rate{1, 1}};
  EXPECT_EQ(limit.take(make_address("2001:db8:1:1::1"), 1, kStart), Duration::zero());
  EXPECT_GT(limit.take(make_address("2001:db8:1:1:ffff::2"), 1, kStart), Duration::zero());
  EXPECT_EQ(limit.take(make_address("2001:db8:1:2::1"), 1, kStart), Duration::zero());
}

TEST(RateLimit, ZeroIsNoLimit) {
  RateLimit limit{Rate{}};
  for (int i = 0; i < 1000; ++i) EXPECT_EQ(limit.take(kOne, 1000, kStart), Duration::zero());
  EXPECT_EQ(limit.size(), 0U);
}

TEST(RateLimit, MemoryIsBounded) {
  RateLimit limit{Rate{1, 2}};
  Instant now = kStart;
  for (std::uint32_t i = 0; i < 3 * RateLimit::kAddressesMax; ++i) {
    limit.take(address_v4{i}, 1, now);
    now += std::chrono::microseconds{1};
  }
  EXPECT_LE(limit.size(), RateLimit::kAddressesMax);
}

TEST(RateLimit, WhoseBucketIsFullMakesRoomBeforeWhoAsksMuch) {
  RateLimit limit{Rate{1, 2}};
  for (std::uint32_t i = 1; i < RateLimit::kAddressesMax; ++i) limit.take(address_v4{i}, 1, kStart);
  const Instant later = kStart + seconds{10};
  EXPECT_EQ(limit.take(kOne, 2, later), Duration::zero());
  EXPECT_EQ(limit.take(make_address("192.0.2.2"), 1, later), Duration::zero());
  EXPECT_LT(limit.size(), 10U);
  EXPECT_GT(limit.take(kOne, 1, later), Duration::zero()) << "it was forgotten, and may begin anew";
}

}  // namespace
}  // namespace tracker
