// A read of spread rows: each partition's part is asked for page by page, here or at its owner, all parts at once.
//
//   due --mine--> a page --more--> due
//    ^ \--another's--> asked --a page, more--> due
//    |                   \--not there any more, not reached, busy--> due, 20 ms later
//    +--nobody's---------------------------------------------------> due, 20 ms later          the last page: whole
//
// To ask again is harmless, so whatever may pass is tried until the deadline, and then named.

#include <mutex>
#include <utility>

#include <lungo/framework/forwarded_command.hpp>
#include <lungo/log/deadline.hpp>

#include "spread_core.hpp"

namespace lungo {
namespace {

constexpr std::chrono::milliseconds kPause{20};

bool may_be_asked_again(const Error& error) {
  return is_retriable(error.code()) || error == Errc::not_owner || error == Errc::closed || error == Errc::io ||
         error == Errc::canceled;
}

}  // namespace

class SpreadCore::Read {
 public:
  Read(SpreadCore& core, const SpreadTable& table, SpreadQuery query, Duration timeout)
      : core_(core),
        ports_(core.store_.log().ports()),
        table_(table),
        query_(std::move(query)),
        deadline_(deadline_after(ports_.clock.monotonic(), timeout)) {}

  void add(const TopicPartition& partition, Offset applied) {
    Part& part = parts_.emplace_back();
    part.query = query_;
    part.query.partition = partition;
    part.query.applied = applied;
  }
  Result<void> run();
  void visit(const RowVisitor& visit) const;

 private:
  enum class State { due, asked, whole };
  struct Part {
    SpreadQuery query;  // of what is missing
    State state = State::due;
    Instant due{};
    std::vector<Bytes> pages;
    std::string endpoint = {};          // where it was asked for last
    std::optional<Error> trouble = {};  // why it waits
  };
  /// Answers come on other threads, maybe when nobody waits any more.
  struct Answers {
    std::mutex mutex;
    std::vector<std::pair<std::size_t, Result<Bytes>>> arrived;
  };

  Result<void> take_answers(Instant now);
  Result<void> ask(std::size_t number, Instant now);
  Result<void> ask_owner(std::size_t number, Instant now);
  Result<void> take(Part& part, Result<SpreadPage> page, Instant now);
  Result<void> advance(Part& part, SpreadPage page);
  static void wait(Part& part, Error trouble, Instant now);
  [[nodiscard]] Error late() const;

  SpreadCore& core_;
  const Ports ports_;
  const SpreadTable& table_;
  const SpreadQuery query_;
  const Instant deadline_;
  std::vector<Part> parts_;
  const std::shared_ptr<Answers> answers_ = std::make_shared<Answers>();
};

Result<void> SpreadCore::Read::run() {
  for (;;) {
    const Instant now = ports_.clock.monotonic();
    Result<void> done = take_answers(now);
    if (!done) return done;
    bool is_whole = true;
    Instant next = deadline_;
    for (std::size_t number = 0; number < parts_.size(); ++number) {
      const Part& part = parts_[number];
      if (part.state == State::due && part.due <= now) done = ask(number, now);
      if (!done) return done;
      is_whole = is_whole && part.state == State::whole;
      if (part.state == State::due) next = std::min(next, part.due);
    }
    if (is_whole) return {};
    if (now >= deadline_) return late();
    const auto has_news = [&] {
      const std::lock_guard lock{answers_->mutex};
      return !answers_->arrived.empty();
    };
    if (next > now) ports_.executor.wait_until(has_news, next);
  }
}

Result<void> SpreadCore::Read::take_answers(Instant now) {
  std::vector<std::pair<std::size_t, Result<Bytes>>> arrived;
  {
    const std::lock_guard lock{answers_->mutex};
    arrived.swap(answers_->arrived);
  }
  for (const auto& [number, bytes] : arrived) {
    const Result<Bytes> answer = bytes ? detail::parse_query_answer(*bytes) : bytes;
    Result<void> taken = take(parts_[number], answer ? parse_spread_page(*answer) : Result<SpreadPage>{answer.error()}, now);
    if (!taken) return taken;
  }
  return {};
}

Result<void> SpreadCore::Read::ask(std::size_t number, Instant now) {
  if (core_.phase_ != Phase::running) return Error{Errc::closed, "the engine does not run"};
  Result<SpreadPage> page = core_.page(parts_[number].query);
  if (!page && page.error() == Errc::not_owner) return ask_owner(number, now);
  return take(parts_[number], std::move(page), now);
}

Result<void> SpreadCore::Read::ask_owner(std::size_t number, Instant now) {
  Part& part = parts_[number];
  const TopicPartition& partition = part.query.partition;
  const Result<std::optional<Membership::Owner>> owner = core_.membership_->owner_of(partition);
  if (!owner) return take(part, owner.error(), now);
  if (!*owner || (*owner)->is_me) {
    wait(part, not_owned(partition, *owner), now);
    return {};
  }
  if (core_.forwarder_ == nullptr || (*owner)->endpoint.empty()) return not_owned(partition, *owner);
  const Bytes query = to_bytes(part.query);
  Result<Bytes> request = detail::to_bytes(detail::ForwardedQuery{core_.options_.name, query});
  if (!request) return request.error();
  part.state = State::asked;
  part.endpoint = (*owner)->endpoint;
  core_.forwarder_->forward(part.endpoint, std::move(*request),
                            [answers = answers_, number, &executor = ports_.executor](Result<Bytes> bytes) {
                              {
                                const std::lock_guard lock{answers->mutex};
                                answers->arrived.emplace_back(number, std::move(bytes));
                              }
                              executor.notify();
                            });
  return {};
}

Result<void> SpreadCore::Read::take(Part& part, Result<SpreadPage> page, Instant now) {
  const bool is_ours = part.state != State::asked;
  part.state = State::due;
  if (page) return advance(part, std::move(*page));
  Error error = is_ours ? page.error() : page.error().with_context(part.endpoint);
  if (!may_be_asked_again(error)) return error;
  wait(part, std::move(error), now);
  return {};
}

/// What is missing then lies behind the page's last row. Errors: invalid_argument, for what is no page of the projection.
Result<void> SpreadCore::Read::advance(Part& part, SpreadPage page) {
  Reader in{page.rows};
  std::vector<Cell> row;
  std::uint64_t count = 0;
  for (; !in.at_end(); ++count) get_cells(in, row);
  const Result<void> whole = in.finish("a page of rows");
  if (!whole || count > part.query.limit || (count > 0 && row.size() < table_.key_columns) || (page.more && count == 0))
    return Error{Errc::invalid_argument, part.endpoint + " has answered what are no rows of " + part.query.projection};
  if (!page.more || count == part.query.limit) {
    part.state = State::whole;
  } else {
    Bytes last = bytes_of_cells(Cells{row}.first(table_.key_columns));
    (part.query.descending ? part.query.to : part.query.from) = std::move(last);
    part.query.past_from = !part.query.descending;
    part.query.limit -= count;
  }
  part.pages.push_back(std::move(page.rows));
  return {};
}

void SpreadCore::Read::wait(Part& part, Error trouble, Instant now) {
  part.trouble = std::move(trouble);
  part.due = now + kPause;
}

Error SpreadCore::Read::late() const {
  for (const Part& part : parts_) {
    if (part.state == State::whole) continue;
    std::string text = "rows of " + part.query.projection + " in " + to_string(part.query.partition) + " are waited for";
    if (part.state == State::asked) text += "; " + part.endpoint + " has not answered";
    if (part.trouble) text += ": " + to_string(*part.trouble);
    return {Errc::timed_out, std::move(text)};
  }
  return {Errc::timed_out, "rows of " + query_.projection};
}

void SpreadCore::Read::visit(const RowVisitor& visit) const {
  std::vector<Cell> row;
  for (const Part& part : parts_) {
    for (const Bytes& page : part.pages) {
      Reader in{page};
      while (!in.at_end()) {
        get_cells(in, row);
        if (!visit(row)) return;
      }
    }
  }
}

Result<void> SpreadCore::visit(const SpreadProjectionBase& projection, const std::optional<StreamId>& stream, SpreadQuery query,
                               const SpreadRead& how, const RowVisitor& visit) {
  if (phase_ != Phase::running) return Error{Errc::closed, "projection " + projection.name() + ": the engine does not run"};
  const auto table = tables_.find(&projection);
  if (table == tables_.end()) return Error{Errc::closed, "projection " + projection.name() + " was added after the start"};
  if (how.at_least && how.at_least->partition.topic != projection.topic())
    return Error{Errc::invalid_argument, projection.name() + " reads topic " + projection.topic() + ", the commit is in " +
                                             how.at_least->partition.topic};
  std::vector<TopicPartition> partitions;
  for (const auto& [partition, unit] : units_)
    if (partition.topic == projection.topic()) partitions.push_back(partition);
  if (stream) {
    const PartitionId only = partition_of_stream(stream->text(), static_cast<std::int32_t>(partitions.size()));
    partitions = {{projection.topic(), only}};
  }
  query.projection = projection.name();
  query.meaning = table->second.meaning;
  Read read{*this, table->second, std::move(query), how.timeout};
  for (const TopicPartition& partition : partitions) {
    const bool is_named = how.at_least && how.at_least->partition == partition && how.at_least->first != how.at_least->end;
    read.add(partition, is_named ? how.at_least->end : Offset{0});
  }
  const Result<void> done = read.run();
  if (!done) return done;
  read.visit(visit);
  return {};
}

}  // namespace lungo
