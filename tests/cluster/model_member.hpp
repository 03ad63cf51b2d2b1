// A group's consumer as librdkafka 2.0.2 is one with the classic protocol: joins, hears of rebalances and of its own loss by
// heartbeats, which go on while its callback works, and joins again when that has returned.
#pragma once

#include "client/ownership_messages.hpp"
#include "tests/cluster/model_network.hpp"
#include "tests/support/broker_model.hpp"

namespace lungo::test {

/// What OwnershipCore gets as the group's metadata, and what SendCounters brings back of it.
struct ModelMetadata {
  std::string member;
  int generation = 0;

  [[nodiscard]] std::string text() const { return member + " " + std::to_string(generation); }
  static ModelMetadata of(const std::string& text) {
    const std::size_t space = text.find(' ');
    return {.member = text.substr(0, space), .generation = std::stoi(text.substr(space + 1))};
  }
};

class ModelMember {
 public:
  using Answer = BrokerModel::Answer;
  using Post = std::function<void(ownership::Input)>;

  ModelMember(BrokerModel& broker, ModelNetwork& network, std::shared_ptr<ModelLine> line, Duration session_timeout, Post post)
      : broker_(broker), network_(network), line_(std::move(line)), session_timeout_(session_timeout), post_(std::move(post)) {}

  /// It has an assignment, and nothing takes it away.
  [[nodiscard]] bool is_in() const { return state_ == State::in; }

  void subscribe(bool is_anything) {
    is_leaving_ = !is_anything;
    if (state_ == State::out && is_anything) {
      heart_beats();
      join();
    } else if (state_ == State::in && is_leaving_) {
      state_ = State::in_callback;
      post_(ownership::Revoked{});
    }
  }

  /// The callback returns.
  void unassign() {
    if (state_ != State::in_callback) return;
    if (is_leaving_) {
      state_ = State::out;
      const std::string member = std::exchange(member_, {});
      network_.send_copy(line_, [this, member] { broker_.leave(member); });
      return;
    }
    join();
  }

 private:
  enum class State { out, joining, in, in_callback };
  struct Joined {
    std::optional<std::string> member;
    std::optional<BrokerModel::Assignment> assignment;
  };

  void join() {
    state_ = State::joining;
    network_.send<Joined>(
        line_, nullptr,
        [this, member = member_, after = generation_] {
          Joined joined{.member = member, .assignment = broker_.assignment(member)};
          if (joined.assignment && joined.assignment->generation > after) return joined;
          joined = {.member = broker_.join(member), .assignment = {}};
          if (joined.member) joined.assignment = broker_.assignment(*joined.member);
          return joined;
        },
        [this](const std::optional<Joined>& joined) {
          if (joined) member_ = joined->member.value_or("");
          if (!joined || !joined->assignment || joined->assignment->generation <= generation_) {
            network_.later(line_, session_timeout_ / 20, [this] { join(); });
            return;
          }
          state_ = State::in;
          heard_at_ = network_.now;
          generation_ = joined->assignment->generation;
          post_(ownership::Assigned{.member = member_,
                                    .metadata = ModelMetadata{member_, generation_}.text(),
                                    .partitions = joined->assignment->partitions});
          if (is_leaving_) subscribe(false);
        });
  }

  void heart_beats() {
    network_.later(line_, session_timeout_ / 6, [this] { heart_beats(); });
    if (state_ != State::in && state_ != State::in_callback) return;
    network_.send<Answer>(
        line_, nullptr, [this, member = member_, generation = generation_] { return broker_.heartbeat(member, generation); },
        [this, generation = generation_](std::optional<Answer> answer) {
          if (generation == generation_ && (state_ == State::in || state_ == State::in_callback)) hear(answer);
        });
  }

  void hear(std::optional<Answer> answer) {
    if (answer == Answer::ok || answer == Answer::rebalance_in_progress) heard_at_ = network_.now;
    if (answer == Answer::rebalance_in_progress && state_ == State::in) {
      state_ = State::in_callback;
      post_(ownership::Revoked{});
    }
    const bool is_refused = answer == Answer::unknown_member || answer == Answer::illegal_generation;
    if (!is_refused && network_.now - heard_at_ <= session_timeout_) return;
    if (answer == Answer::unknown_member) member_.clear();
    // The callback that works may ask whether its assignment is lost, or not.
    if (state_ == State::in_callback && network_.random.one_in(2)) return;
    state_ = State::in_callback;
    post_(ownership::Lost{});
  }

  BrokerModel& broker_;
  ModelNetwork& network_;
  const std::shared_ptr<ModelLine> line_;
  const Duration session_timeout_;
  const Post post_;

  State state_ = State::out;
  bool is_leaving_ = false;
  std::string member_;  // empty: a new one
  int generation_ = 0;
  Instant heard_at_{};
};

}  // namespace lungo::test
