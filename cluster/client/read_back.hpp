// How far this process's own appends are committed, for readers: what was answered is to be seen, and the mirror has it a
// little later.
//
// Promise: wait() returns when the mirror has what was committed when it was called; at once where nothing is missing.
// Threads: any.
#pragma once

#include <map>
#include <mutex>
#include <string_view>

#include <lungo/log/ports.hpp>

#include "client/kafka_mirror.hpp"

namespace lungo {

class ReadBack {
 public:
  /// `mirror` outlives it.
  ReadBack(KafkaMirror& mirror, const Ports& ports) : mirror_(mirror), ports_(ports) {}

  /// Before the append is answered.
  void committed(const TopicPartition& partition, Offset end);
  /// The topic is gone.
  void forget(std::string_view topic);
  /// Of what is not known to be in the mirror. Does not block.
  [[nodiscard]] bool is_committed_above(const TopicPartition& partition, Offset end) const;
  /// Who has to look whether a wait is over: the executor's notify(). Errors: timed_out.
  Result<void> wait(const TopicPartition& partition, Duration timeout);

 private:
  [[nodiscard]] Offset read(const TopicPartition& partition);

  KafkaMirror& mirror_;
  const Ports ports_;
  mutable std::mutex mutex_;
  std::map<TopicPartition, Offset> missing_;  // up to where it is committed, unless the mirror was seen to have that
};

}  // namespace lungo
