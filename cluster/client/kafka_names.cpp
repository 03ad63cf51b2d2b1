#include "client/kafka_names.hpp"

#include <algorithm>
#include <array>

#include <lungo/log/text.hpp>

namespace lungo {

namespace {

constexpr std::string_view kOurs = "__lungo_";
constexpr std::string_view kShared = "__lungo_shapes";
constexpr std::string_view kKafkas = "__";  // __consumer_offsets, __transaction_state, ...
constexpr std::size_t kAppCharsMax = 41;

bool is_letter_or_digit(char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'); }

}  // namespace

Result<KafkaNames> KafkaNames::of(std::string app) {
  const bool fits = !app.empty() && app.size() <= kAppCharsMax && is_letter_or_digit(app.front()) &&
                    std::ranges::all_of(app, [](char c) { return is_letter_or_digit(c) || c == '-'; });
  if (fits) return KafkaNames{std::move(app)};
  return Error{Errc::invalid_argument,
               "'" + app + "' can't name an application: 1 to 41 of a-z, 0-9 and \"-\", not \"-\" in front"};
}

std::string KafkaNames::on_kafka(std::string_view topic) const {
  if (!topic.starts_with(kOurs) || topic == kShared) return std::string(topic);
  return std::string(kOurs) + app_ + "_" + std::string(topic.substr(kOurs.size()));
}

std::optional<std::string> KafkaNames::in_lungo(std::string_view kafka_topic) const {
  if (kafka_topic == kShared || !kafka_topic.starts_with(kKafkas)) return std::string(kafka_topic);
  const std::string mine = std::string(kOurs) + app_ + "_";
  if (!kafka_topic.starts_with(mine)) return std::nullopt;
  return std::string(kOurs) + std::string(kafka_topic.substr(mine.size()));
}

std::optional<std::string> KafkaNames::app_of_rows(std::string_view kafka_topic) {
  const std::string_view behind = kTopicsTopic.substr(kOurs.size() - 1);  // "_topics"
  if (!kafka_topic.starts_with(kOurs) || !kafka_topic.ends_with(behind)) return std::nullopt;
  kafka_topic.remove_prefix(kOurs.size());
  if (kafka_topic.size() <= behind.size()) return std::nullopt;
  return std::string(kafka_topic.substr(0, kafka_topic.size() - behind.size()));
}

bool KafkaNames::is_everybodys(std::string_view topic) { return topic == kShared; }

std::string KafkaNames::new_transactional_id(Randomness& random) const {
  std::array<std::byte, 16> bits;
  random.fill(bits);
  return app_ + ".w." + to_hex(bits);
}

}  // namespace lungo
