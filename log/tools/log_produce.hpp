// `lungo log produce`: lines of standard input become records. Threads: one.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include <lungo/log/appender.hpp>
#include <lungo/log/printed.hpp>

#include "record_text.hpp"
#include "stop_signals.hpp"
#include "tool_log.hpp"

namespace CLI {
class App;
}

namespace lungo {

struct ProduceOptions {
  std::string topic;
  std::optional<std::string> key_separator;
  std::optional<std::int32_t> partition;
  std::string durability = "committed";
  std::vector<std::string> headers;
  std::size_t batch_records = 500;
};

void describe_produce(CLI::App& app, ProduceOptions& options);

/// Reads to the end of the input, or to the first line that is no record, or to a signal; what was read before that is
/// written. Returns the exit status. Errors: invalid_argument with the number of the line; what the log says.
Result<int> run_produce(const ToolOptions& tool, const ProduceOptions& options, StopSignals& signals, Output& out);

/// Gathers records by partition and appends them in batches.
class RecordWriter {
 public:
  struct Options {
    Durability durability = Durability::committed;
    std::size_t batch_records = 500;
  };
  RecordWriter(EventLog& log, TopicSpec topic, Options options);

  /// The record's own partition; otherwise that of its key, as Kafka's producers choose it; without a key one after the other,
  /// batch by batch, from a random one on, or else the first would get all of those who write few. Errors: invalid_argument for
  /// a partition that is not there; too_large; as Appender::append_wait().
  Result<void> add(const NewRecord& record, Timestamp now);
  Result<void> flush();

  [[nodiscard]] std::uint64_t written() const { return written_; }
  /// Of each partition that got records: the first offset and one past the last.
  struct Range {
    Offset first;
    Offset end;
  };
  [[nodiscard]] const std::map<std::int32_t, Range>& ranges() const { return ranges_; }

 private:
  struct Pending {
    std::shared_ptr<Appender> appender;
    EncodedRecords records;
  };
  Result<void> flush(std::int32_t partition, Pending& pending);

  EventLog& log_;
  const TopicSpec topic_;
  const Options options_;
  std::map<std::int32_t, Pending> pending_;
  std::map<std::int32_t, Range> ranges_;
  std::int32_t unkeyed_to_;  // the partition whose turn it is
  std::size_t pending_bytes_ = 0;
  std::uint64_t written_ = 0;
};

}  // namespace lungo
