// What was asked for and answered in a run of the cores against the model of the brokers, and whether that is what the logs
// say.
#pragma once

#include <algorithm>
#include <map>
#include <set>
#include <string>
#include <vector>

#include <lungo/log/event_log.hpp>

#include "tests/support/broker_model.hpp"

namespace lungo::test {

class CoresHistory {
 public:
  /// An append, which may be tried several times under its id. Its records' values are its number and theirs.
  struct Append {
    TopicPartition to;
    std::string key;
    std::string id;  // empty: none
    int records = 1;
    std::optional<Condition> condition;
    std::optional<Offset> since;
    std::optional<TopicPartition> on_behalf_of;
    int tries = 0;
    std::vector<Result<Appended>> answers;
  };
  /// A partition was opened by the owner of a generation, which had read so far.
  struct Opening {
    TopicPartition partition;
    int generation = 0;
    Offset read_to;
  };

  std::vector<Append> appends;
  std::vector<Opening> openings;
  std::set<std::pair<TopicPartition, Offset>> reported;  // as foreign
  std::vector<std::string> faults;

  void fail(std::string what) { faults.push_back(std::move(what)); }

  static std::string value_of(std::size_t append, int record) { return std::to_string(append) + "." + std::to_string(record); }
  /// Behind a value, of who has written it; kForeign for who is no Lungo.
  static std::string tag_of(int generation) { return "@" + std::to_string(generation); }
  static constexpr std::string_view kForeign = "foreign";

  void check(const BrokerModel& broker, const std::vector<TopicPartition>& partitions) {
    for (const TopicPartition& partition : partitions) {
      constexpr std::int64_t kAll = 1'000'000;
      logs_[partition] = broker.fetch(partition, Offset{0}, kAll).records;
      for (const auto& [offset, record] : logs_[partition]) take(partition, offset, record);
      check_generations(partition);
    }
    for (std::size_t i = 0; i < appends.size(); ++i) check_append(i);
    for (const auto& [partition, offset] : reported) {
      if (!foreign_.contains({partition, offset})) fail(text(partition, offset) + " was reported as foreign, and is not");
    }
  }

 private:
  struct Place {
    TopicPartition partition;
    Offset offset;
    int generation = 0;
  };

  static std::string text(const TopicPartition& partition, Offset offset) {
    return to_string(partition) + " at " + std::to_string(offset.value());
  }

  void take(const TopicPartition& partition, Offset offset, const BrokerModel::Record& record) {
    if (record.value == kForeign) {
      foreign_.insert({partition, offset});
      return;
    }
    const std::size_t tag = record.value.find('@');
    const std::string value = record.value.substr(0, tag);
    const Place place{.partition = partition, .offset = offset, .generation = std::stoi(record.value.substr(tag + 1))};
    const auto [found, is_new] = places_.emplace(value, place);
    if (!is_new) fail(value + " was written twice: " + text(partition, found->second.offset) + ", " + text(partition, offset));
  }

  /// What an owner wrote was read by those after it when they opened the partition; rows on behalf of one are in the order of
  /// its owners.
  void check_generations(const TopicPartition& partition) {
    std::map<TopicPartition, int> newest;  // of the rows on behalf of each
    for (const auto& [offset, record] : logs_[partition]) {
      if (record.value == kForeign) continue;
      const std::string value = record.value.substr(0, record.value.find('@'));
      const int generation = places_.at(value).generation;
      for (const Opening& opening : openings) {
        if (opening.partition != partition || opening.generation <= generation || offset < opening.read_to) continue;
        fail(text(partition, offset) + " of generation " + std::to_string(generation) + " lies behind what the owner of " +
             std::to_string(opening.generation) + " had read: " + std::to_string(opening.read_to.value()));
      }
      const std::optional<TopicPartition>& on_behalf_of = appends[static_cast<std::size_t>(std::stoul(value))].on_behalf_of;
      if (!on_behalf_of) continue;
      int& last = newest[*on_behalf_of];
      if (generation < last) fail("a row of an owner of before lies behind a later one's, " + text(partition, offset));
      last = std::max(last, generation);
    }
  }

  void check_append(std::size_t index) {
    const Append& append = appends[index];
    const std::string name = "append " + std::to_string(index);
    const auto first = places_.find(value_of(index, 0));
    const auto last = places_.find(value_of(index, append.records - 1));
    const bool is_written = first != places_.end();
    if (is_written != (last != places_.end())) return fail(name + " was written in part");
    bool may_be_written = static_cast<std::size_t>(append.tries) > append.answers.size();  // its process was killed
    for (const Result<Appended>& answer : append.answers) {
      may_be_written |= answer || answer.error() == Errc::timed_out;
      if (!answer) {
        if (answer.error() == Errc::conflict) check_conflict(name, append, answer.error());
        continue;
      }
      if (!is_written) {
        fail(name + " was answered as written, and is lost: " + text(append.to, answer->first));
      } else if (answer->first != first->second.offset || (answer->end != last->second.offset.next() && !answer->repeated)) {
        // Where it was repeated, a foreign record of its key between its own ones passes for one of them.
        fail(name + " lies elsewhere than was answered: " + text(append.to, answer->first));
      }
    }
    if (is_written && !may_be_written) fail(name + " was refused, and is written");
    if (is_written && append.condition) check_condition(name, append, first->second.offset);
  }

  void check_condition(const std::string& name, const Append& append, Offset first) {
    for (const auto& [offset, record] : logs_[append.to]) {
      if (offset < append.condition->as_of || offset >= first || record.key != append.condition->key) continue;
      if (record.value == kForeign) continue;  // nobody can keep those out: they are reported
      fail(name + " was written at " + std::to_string(first.value()) + " as of " +
           std::to_string(append.condition->as_of.value()) + ", but " + text(append.to, offset) + " is in the way");
    }
  }

  void check_conflict(const std::string& name, const Append& append, const Error& error) {
    const auto& log = logs_[append.to];
    const auto found = std::ranges::find(log, error.offset(), [](const auto& entry) { return std::optional{entry.first}; });
    if (found != log.end() && found->second.key == append.condition->key && found->first >= append.condition->as_of) return;
    fail(name + " was refused for a conflict with what is not there");
  }

  std::map<TopicPartition, std::vector<std::pair<Offset, BrokerModel::Record>>> logs_;
  std::map<std::string, Place> places_;
  std::set<std::pair<TopicPartition, Offset>> foreign_;
};

}  // namespace lungo::test
