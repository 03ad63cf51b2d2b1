// What an application's things are called on a Kafka cluster that others share.
//
//   topic of the application     its own name
//   `__lungo_X`                  `__lungo_APP_X`, of the framework or the home; but `__lungo_shapes`, which all applications
//   share group of the owners          `APP.writers` transactional ids            `APP.w.` and 32 hex digits, another each time
//   a process starts
//
// APP is [a-z0-9][a-z0-9-]{0,40}. It has neither "_" nor ".", so no two applications' names meet, nor do one's names and
// another's rights that were given for a prefix `APP.`.
// Pure. Threads: any.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include <lungo/log/ports.hpp>
#include <lungo/log/result.hpp>

namespace lungo {

/// The home's own topic: what the application's topics are (kafka_topics.hpp), by its name in Lungo.
inline constexpr std::string_view kTopicsTopic = "__lungo_topics";

class KafkaNames {
 public:
  /// Errors: invalid_argument, with what a name looks like.
  static Result<KafkaNames> of(std::string app);

  [[nodiscard]] const std::string& app() const { return app_; }
  /// What a topic of Lungo's is called on Kafka.
  [[nodiscard]] std::string on_kafka(std::string_view topic) const;
  /// The other way; nothing for one of another application, or of Kafka's own.
  [[nodiscard]] std::optional<std::string> in_lungo(std::string_view kafka_topic) const;
  /// Whose rows a topic of Kafka's has; nothing where it is another one.
  [[nodiscard]] static std::optional<std::string> app_of_rows(std::string_view kafka_topic);
  /// Whether all applications of the cluster have this one in common.
  [[nodiscard]] static bool is_everybodys(std::string_view topic);
  [[nodiscard]] std::string writers_group() const { return app_ + ".writers"; }
  [[nodiscard]] std::string new_transactional_id(Randomness& random) const;

 private:
  explicit KafkaNames(std::string app) : app_(std::move(app)) {}
  std::string app_;
};

}  // namespace lungo
