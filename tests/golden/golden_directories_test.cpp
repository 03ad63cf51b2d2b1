// What design section 4 promises about events of older programs, on directories that such programs wrote. Each case declares
// the struct of today; its older form stands in writers/CASE.cpp. golden_directory.hpp says how a new directory joins.
#include "tests/golden/golden_directory.hpp"

#include <gtest/gtest.h>

#include <lungo/framework/errors.hpp>
#include <lungo/framework/subscription.hpp>

namespace golden_tests {

using namespace lungo;
using golden::GoldenDirectory;
using golden::load;
using Lines = std::vector<std::string>;

// ---- fields that came, went, moved and got other names ----

namespace added {
struct Item {
  std::string sku;
  std::int32_t count = 0;
  std::string unit = "piece";
};
struct OrderPlaced {
  std::string customer;
  std::int64_t cents = 0;
  std::vector<Item> items;
  std::string currency = "EUR";
  std::optional<std::string> coupon;
  std::vector<std::string> tags{"untagged"};
};
}  // namespace added

TEST(GoldenDirectories, AnAddedFieldHasItsDefault) {
  const GoldenDirectory golden{"field_added"};
  const EventStore store = golden.open();
  const std::string rest = R"(,"currency":"EUR","coupon":null,"tags":["untagged"]})";
  EXPECT_EQ(load<added::OrderPlaced>(store, "1").value(),
            (Lines{R"({"customer":"ann","cents":1999,"items":[{"sku":"espresso","count":2,"unit":"piece"},)"
                   R"({"sku":"mug","count":1,"unit":"piece"}])" +
                       rest,
                   R"({"customer":"éva \"quoted\"\n","cents":-5,"items":[{"sku":"","count":-1,"unit":"piece"}])" + rest}));
  EXPECT_EQ(load<added::OrderPlaced>(store, "2").value(), Lines{R"({"customer":"bob","cents":0,"items":[])" + rest});
}

namespace removed {
struct OrderPlaced {
  std::string customer;
  std::int64_t cents = 0;
};
}  // namespace removed

TEST(GoldenDirectories, RemovedFieldsOfEveryKindAreSkipped) {
  const GoldenDirectory golden{"field_removed"};
  EXPECT_EQ(load<removed::OrderPlaced>(golden.open()).value(),
            (Lines{R"({"customer":"ann","cents":1999})", R"({"customer":"bob","cents":5})"}));
}

namespace reordered {
struct Address {
  std::string street;
  std::string city;
};
struct OrderPlaced {
  std::string customer;
  std::int64_t points = 0;
  std::int64_t cents = 0;
  Address to;
};
}  // namespace reordered

TEST(GoldenDirectories, ReorderedFieldsLandRight) {
  const GoldenDirectory golden{"fields_reordered"};
  EXPECT_EQ(load<reordered::OrderPlaced>(golden.open()).value(),
            (Lines{R"({"customer":"ann","points":7,"cents":1999,"to":{"street":"Main St 1","city":"Berlin"}})",
                   R"({"customer":"bob","points":0,"cents":-1,"to":{"street":"","city":""}})"}));
}

namespace renamed {
struct Address {
  std::string city;
  static constexpr std::array<FieldAlias, 1> field_aliases{{{"city", "town"}}};
};
struct OrderPlaced {
  std::string customer;
  Address to;
  static constexpr std::array<FieldAlias, 2> field_aliases{{{"customer", "client"}, {"customer", "buyer"}}};
};
struct WithoutAliases {
  static constexpr std::string_view event_name = "OrderPlaced";
  std::string customer = "unknown";
};
}  // namespace renamed

TEST(GoldenDirectories, AFieldIsFoundByItsAlias) {
  const GoldenDirectory golden{"field_renamed"};
  const EventStore store = golden.open();
  EXPECT_EQ(load<renamed::OrderPlaced>(store).value(),
            (Lines{R"({"customer":"ann","to":{"city":"Berlin"}})", R"({"customer":"bob","to":{"city":"Hamburg"}})"}));
  EXPECT_EQ(load<renamed::WithoutAliases>(store).value(), (Lines{R"({"customer":"unknown"})", R"({"customer":"unknown"})"}));
}

namespace event_renamed {
struct OrderPlaced {
  static constexpr std::array<std::string_view, 1> event_aliases{"Ordered"};
  std::string customer;
};
struct ParcelSent {
  static constexpr std::array<std::string_view, 2> event_aliases{"shop.ParcelHandedOver", "shop.ParcelSent"};
  std::string carrier;
};
struct UnnamedBefore {
  static constexpr std::string_view event_name = "OrderPlaced";
  std::string customer;
};
}  // namespace event_renamed

TEST(GoldenDirectories, AnEventIsFoundByItsAlias) {
  const GoldenDirectory golden{"event_renamed"};
  EXPECT_EQ((load<event_renamed::OrderPlaced, event_renamed::ParcelSent>(golden.open()).value()),
            (Lines{R"({"customer":"ann"})", R"({"carrier":"DHL"})", R"({"customer":"bob"})"}));
}

TEST(GoldenDirectories, ADeciderRefusesAnEventThatItDoesNotList) {
  const GoldenDirectory golden{"event_renamed"};
  const Result<Lines> events = load<event_renamed::UnnamedBefore>(golden.open());
  ASSERT_FALSE(events);
  EXPECT_EQ(events.error(), Errc::unknown_event);
  EXPECT_NE(events.error().text().find("Ordered"), std::string_view::npos) << events.error().text();
  EXPECT_EQ(events.error().offset(), Offset{0});
}

// ---- types that changed ----

namespace widened {
struct OrderPlaced {
  std::int32_t items = 0;
  std::int64_t cents = 0;
  double weight = 0;
  std::chrono::milliseconds took{};
  std::int32_t points = 0;  // narrower than it was
};
}  // namespace widened

TEST(GoldenDirectories, WiderNumbersHoldWhatWasWritten) {
  const GoldenDirectory golden{"number_widened"};
  const EventStore store = golden.open();
  EXPECT_EQ(load<widened::OrderPlaced>(store, "1").value(),
            Lines{R"({"items":255,"cents":-2147483648,"weight":0.5,"took":90000,"points":2147483647})"});
  EXPECT_EQ(load<widened::OrderPlaced>(store, "2").value(),
            Lines{R"({"items":0,"cents":0,"weight":-1.5,"took":-1000,"points":-2147483648})"});
}

TEST(GoldenDirectories, AValueThatANarrowerFieldCannotHoldIsUndecodable) {
  const GoldenDirectory golden{"number_widened"};
  const Result<Lines> events = load<widened::OrderPlaced>(golden.open(), "3");
  ASSERT_FALSE(events);
  EXPECT_EQ(events.error(), Errc::undecodable);
  EXPECT_EQ(events.error().offset(), Offset{2});
  for (const char* part : {"OrderPlaced (shape ", "in orders-0 at offset 2", "a number that its field cannot hold"}) {
    EXPECT_NE(events.error().text().find(part), std::string_view::npos) << part << " is not in: " << events.error().text();
  }
}

namespace changed {
struct OrderPlaced {
  std::string customer;
  std::string total;
};
struct OrderShipped {
  std::string carrier;
};
}  // namespace changed

TEST(GoldenDirectories, ADeciderRefusesAChangedTypeAndNamesFieldAndBothShapes) {
  const GoldenDirectory golden{"type_changed"};
  const Result<Lines> events = load<changed::OrderPlaced, changed::OrderShipped>(golden.open());
  ASSERT_FALSE(events);
  EXPECT_EQ(events.error(), Errc::incompatible_shape);
  EXPECT_EQ(events.error().offset(), Offset{0});
  const std::string text{events.error().text()};
  for (const char* part : {"OrderPlaced (shape ", "in orders-0 at offset 0", "field total", "int64", "string",
                           "the writer's shape", "this program's shape", "upcast"}) {
    EXPECT_NE(text.find(part), std::string::npos) << part << " is not in: " << text;
  }
}

namespace upcast {
struct OrderPlacedV1 {
  static constexpr std::string_view event_name = "OrderPlaced";
  std::string customer;
  std::int64_t total = 0;
};
struct OrderPlaced {
  std::string customer;
  std::string total;
  static OrderPlaced upcast(const OrderPlacedV1& old) { return {old.customer, std::to_string(old.total) + " cents"}; }
};
}  // namespace upcast

TEST(GoldenDirectories, AnUpcastReadsAChangedType) {
  const GoldenDirectory golden{"type_changed"};
  EXPECT_EQ((load<upcast::OrderPlaced, changed::OrderShipped>(golden.open()).value()),
            (Lines{R"({"customer":"ann","total":"1999 cents"})", R"({"carrier":"DHL"})"}));
}

TEST(GoldenDirectories, ARunningReaderParksWhatItCannotDecodeAndGoesOn) {
  const GoldenDirectory golden{"type_changed"};
  EventStore store = golden.open();
  SubscriptionOptions options;
  options.topics = {std::string(golden::kTopic)};
  Lines shipped;
  Subscription reader{store, "reader", options};
  reader.on<changed::OrderPlaced>([](const Envelope&, const changed::OrderPlaced&) { ADD_FAILURE() << "was decoded"; });
  reader.on<changed::OrderShipped>(
      [&](const Envelope&, const changed::OrderShipped& event) { shipped.push_back(event.carrier); });
  ASSERT_TRUE(reader.start());
  ASSERT_TRUE(reader.catch_up(std::chrono::seconds{30}));
  EXPECT_EQ(reader.status().parked, 2);
  ASSERT_TRUE(reader.stop());
  EXPECT_EQ(shipped, (Lines{"DHL", "UPS"}));
  const std::vector<ParkedEvent> parked = parked_events(store, "reader").value();
  ASSERT_EQ(parked.size(), 2u);
  EXPECT_EQ(parked[0].offset, 0);
  EXPECT_EQ(parked[1].offset, 2);
  EXPECT_EQ(parked[0].event_type, "OrderPlaced");
  EXPECT_EQ(parked[0].error, static_cast<std::int32_t>(Errc::incompatible_shape));
}

namespace optional {
struct Address {
  std::string city;
};
struct OrderPlaced {
  std::optional<std::string> customer;
  std::optional<Address> to;
  std::optional<std::int64_t> floor;
};
}  // namespace optional

TEST(GoldenDirectories, AFieldThatBecameOptionalIsPresent) {
  const GoldenDirectory golden{"became_optional"};
  EXPECT_EQ(load<optional::OrderPlaced>(golden.open()).value(), (Lines{R"({"customer":"ann","to":{"city":"Berlin"},"floor":4})",
                                                                       R"({"customer":"bob","to":{"city":""},"floor":0})"}));
}

namespace appended {
enum class Channel : std::uint16_t { web = 1, shop = 255, phone = 256 };
struct Cash {
  std::int64_t cents = 0;
  std::string currency = "EUR";
};
struct Card {
  std::string number;
};
struct Transfer {
  std::string iban;
};
struct OrderPaid {
  std::variant<Cash, Card, Transfer> by;
  Channel channel = Channel::web;
};
}  // namespace appended

TEST(GoldenDirectories, AVariantMayGrowAtItsEndAndAnEnumerationInItsType) {
  const GoldenDirectory golden{"alternative_appended"};
  EXPECT_EQ(load<appended::OrderPaid>(golden.open()).value(),
            (Lines{R"({"by":{"alternative":0,"value":{"cents":1999,"currency":"EUR"}},"channel":1})",
                   R"({"by":{"alternative":1,"value":{"number":"4111"}},"channel":255})"}));
}

// ---- several generations ----

namespace two_versions {
struct OrderPlaced {
  std::string customer;
  std::int64_t cents = 0;
  std::string currency = "EUR";
  static constexpr std::array<FieldAlias, 1> field_aliases{{{"customer", "buyer"}}};
};
}  // namespace two_versions

TEST(GoldenDirectories, EventsOfTwoOlderProgramsAreReadInOneStream) {
  const GoldenDirectory golden{"two_versions"};
  const EventStore store = golden.open();
  for (const char* id : {"1", "2", "3", "4"}) {
    EXPECT_EQ(load<two_versions::OrderPlaced>(store, id).value(),
              (Lines{R"({"customer":"ann","cents":100,"currency":"EUR"})",
                     R"({"customer":"bob","cents":1099511627776,"currency":"CHF"})"}))
        << id;
  }
}

TEST(GoldenDirectories, TodaysEventsJoinThoseOfOlderPrograms) {
  const GoldenDirectory golden{"two_versions"};
  {
    EventStore store = golden.open();
    ASSERT_TRUE(store.append(golden::kTopic, StreamId{"Order", "1"}, two_versions::OrderPlaced{"eve", 3, "USD"}));
  }
  const Lines events = load<two_versions::OrderPlaced>(golden.open(), "1").value();
  ASSERT_EQ(events.size(), 3u);
  EXPECT_EQ(events.back(), R"({"customer":"eve","cents":3,"currency":"USD"})");
}

struct OrderPlaced {
  std::string customer;
};

TEST(GoldenDirectories, AReaderGoesOnWhereItStoppedAndFindsWhatItParked) {
  const GoldenDirectory golden{"positions"};
  EventStore store = golden.open();
  SubscriptionOptions options;
  options.topics = {std::string(golden::kTopic)};
  Lines customers;
  Subscription mails{store, "mails", options};
  mails.on<OrderPlaced>([&](const Envelope&, const OrderPlaced& event) { customers.push_back(event.customer); });
  ASSERT_TRUE(mails.start());
  ASSERT_TRUE(mails.catch_up(std::chrono::seconds{30}));
  ASSERT_TRUE(mails.stop());
  EXPECT_EQ(customers, Lines{"eve"});
  const std::vector<ParkedEvent> parked = parked_events(store, "mails").value();
  ASSERT_EQ(parked.size(), 1u);
  EXPECT_EQ(parked[0].offset, 1);
  EXPECT_EQ(parked[0].text.find("no such customer") != std::string::npos, true) << parked[0].text;
}

}  // namespace golden_tests
