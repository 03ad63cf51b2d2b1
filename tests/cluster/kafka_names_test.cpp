#include "client/kafka_names.hpp"

#include <gtest/gtest.h>

#include "tests/support/random.hpp"

namespace lungo::test {
namespace {

TEST(KafkaNames, OnlyTheFrameworksTopicsCarryTheApplication) {
  const KafkaNames names = KafkaNames::of("shop").value();
  EXPECT_EQ(names.on_kafka("events"), "events");
  EXPECT_EQ(names.on_kafka("__lungo_positions"), "__lungo_shop_positions");
  EXPECT_EQ(names.on_kafka("__lungo_shapes"), "__lungo_shapes");
  EXPECT_TRUE(KafkaNames::is_everybodys("__lungo_shapes"));
  EXPECT_FALSE(KafkaNames::is_everybodys("__lungo_positions"));
  EXPECT_EQ(names.writers_group(), "shop.writers");
}

TEST(KafkaNames, AreFoundAgain) {
  const KafkaNames names = KafkaNames::of("shop").value();
  for (const std::string topic : {"events", "__lungo_positions", "__lungo_shapes", "__lungo_shop_x", "_lungo", "__lungo_"}) {
    EXPECT_EQ(names.in_lungo(names.on_kafka(topic)), topic);
  }
}

TEST(KafkaNames, WhatIsAnothersOrKafkasIsNotSeen) {
  const KafkaNames names = KafkaNames::of("shop").value();
  for (const std::string_view topic : {"__lungo_bakery_positions", "__lungo_shop-2_positions", "__lungo_positions",
                                       "__consumer_offsets", "__transaction_state"}) {
    EXPECT_EQ(names.in_lungo(topic), std::nullopt) << topic;
  }
}

TEST(KafkaNames, AnApplicationsNameIsShortAndPlain) {
  for (const std::string& app : {std::string("a"), std::string("9-to-5"), std::string(41, 'x')})
    EXPECT_TRUE(KafkaNames::of(app)) << app;
  for (const std::string& app : {std::string(), std::string("-a"), std::string("a_b"), std::string("a.b"), std::string("Shop"),
                                 std::string("a b"), std::string(42, 'x')}) {
    const Result<KafkaNames> names = KafkaNames::of(app);
    ASSERT_FALSE(names) << app;
    EXPECT_EQ(names.error(), Errc::invalid_argument);
  }
}

TEST(KafkaNames, ATransactionalIdIsNewEachTime) {
  const KafkaNames names = KafkaNames::of("shop").value();
  SeededRandomness random{1};
  const std::string first = names.new_transactional_id(random);
  EXPECT_EQ(first.substr(0, 7), "shop.w.");
  EXPECT_EQ(first.size(), 7U + 32U);
  EXPECT_NE(first, names.new_transactional_id(random));
}

TEST(KafkaNames, TheTopicOfRowsNamesItsApplication) {
  EXPECT_EQ(KafkaNames::app_of_rows(KafkaNames::of("shop").value().on_kafka(kTopicsTopic)), "shop");
  for (const std::string_view other :
       {"__lungo_topics", "__lungo__topics", "__lungo_shapes", "__lungo_shop_snapshots", "shop_topics"}) {
    EXPECT_EQ(KafkaNames::app_of_rows(other), std::nullopt) << other;
  }
}

}  // namespace
}  // namespace lungo::test
