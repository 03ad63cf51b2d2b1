#include "replay_events.hpp"

#include <lungo/framework/codec_json.hpp>
#include <lungo/framework/partition_reader.hpp>

#include "../text.hpp"

namespace lungo {
namespace {

class EventPrinter {
 public:
  EventPrinter(const std::shared_ptr<EventLog>& log, const EventsOptions& options, bool json, Output& out)
      : log_(*log), events_(log), options_(options), json_(json), out_(out) {}

  Result<void> print_topic(const TopicInfo& topic) {
    number_ = 0;
    if (!options_.stream || !topic.spec.streams) return read_through_all(topic);
    const PartitionId partition = partition_of_stream(*options_.stream, topic.spec.partitions);
    Result<bool> indexed = print_indexed(topic);
    if (!indexed) return indexed.error();
    return *indexed ? Result<void>{} : read_through(topic, partition);
  }
  [[nodiscard]] bool any() const { return printed_ > 0; }

 private:
  [[nodiscard]] bool is_over() const { return printed_ >= options_.limit || !out_.ok(); }

  /// False when there is no stream index, as beside a live writer.
  Result<bool> print_indexed(const TopicInfo& topic) {
    Result<StreamEvents> found = events_.read_stream(topic.spec.name, StreamId::written(*options_.stream));
    if (!found) return found.error();
    while (!is_over()) {
      Result<const StreamEvent*> next = found->next();
      if (!next && next.error() == Errc::unsupported && number_ == 0) return false;
      if (!next) return next.error();
      if (*next == nullptr) break;
      print((*next)->envelope);
    }
    return true;
  }

  Result<void> read_through_all(const TopicInfo& topic) {
    Result<void> done;
    for (std::int32_t number = 0; done && number < topic.spec.partitions; ++number)
      done = read_through(topic, PartitionId{number});
    return done;
  }

  Result<void> read_through(const TopicInfo& topic, PartitionId partition) {
    Result<Ends> ends = log_.ends({topic.spec.name, partition});
    if (!ends) return ends.error();
    PartitionReader reader{log_, topic, {topic.id, partition, ends->start, kNoEpoch}};
    while (!is_over()) {
      Result<const Envelope*> next = reader.next();
      if (!next && next.error() == Errc::undecodable) {
        // A record that is no event of ours: whose stream it would be can't be known.
        if (!options_.stream) print_broken(reader, next.error());
        continue;
      }
      if (!next) return next.error();
      if (*next == nullptr) break;
      if (!options_.stream || (*next)->stream == *options_.stream) print(**next);
    }
    return {};
  }

  void print(const Envelope& envelope) {
    PrintedLine line;
    if (options_.stream) {
      line.add("number", ++number_);
    } else {
      line.add("stream", envelope.stream);
    }
    line.add("partition", to_string(TopicPartition{std::string(envelope.topic), envelope.partition}));
    line.add("offset", envelope.offset.value());
    line.add("time", time_text(envelope.time));
    line.add("type", envelope.type);
    line.add_json("event", json_of(envelope));
    print(line);
  }

  void print_broken(const PartitionReader& reader, const Error& error) {
    PrintedLine line;
    add_cell(line, "stream", Cell{}, ColumnType::text);
    line.add("partition", to_string(reader.partition()));
    line.add("offset", reader.position().offset.value() - 1);
    add_cell(line, "time", Cell{}, ColumnType::text);
    add_cell(line, "type", Cell{}, ColumnType::text);
    line.add_json("event", json_of_error(error) + "}");
    print(line);
  }

  void print(const PrintedLine& line) {
    if (printed_++ == 0 && !json_) line.print_names(out_);
    line.print(out_, json_);
  }

  static std::string json_of_error(const Error& error) {
    JsonWriter reason;
    reason.text(to_string(error));
    return "{\"$error\":" + reason.take();
  }

  std::string json_of(const Envelope& envelope) {
    if (envelope.content_type == kJsonContent) {
      const std::optional<std::string> json = as_json_line(as_text(envelope.payload));
      return json ? *json : json_of_bytes(envelope.payload);
    }
    if (!envelope.shape) return json_of_bytes(envelope.payload);  // says nothing about itself
    Result<std::shared_ptr<const Shape>> shape = events_.shapes().find(*envelope.shape);
    Result<std::string> json = shape ? to_json(**shape, envelope.payload) : Result<std::string>{shape.error()};
    if (json) return *json;
    return json_of_error(json.error()) + "," + json_of_bytes(envelope.payload).substr(1);
  }

  EventLog& log_;
  EventStore events_;
  const EventsOptions& options_;
  const bool json_;
  Output& out_;
  std::int64_t number_ = 0;  // of the event in its stream
  std::uint64_t printed_ = 0;
};

}  // namespace

Result<void> print_events(const std::shared_ptr<EventLog>& log, const EventsOptions& options, bool json, Output& out) {
  if (!options.stream && !options.topic)
    return Error{Errc::invalid_argument, "name a stream, or with --topic a topic to print all of"};
  Result<std::vector<TopicInfo>> topics = log->topics();
  if (!topics) return topics.error();
  EventPrinter printer{log, options, json, out};
  std::string known;
  bool is_known = false;
  for (const TopicInfo& topic : *topics) {
    known += (known.empty() ? "" : ", ") + topic.spec.name;
    if (options.topic ? topic.spec.name != *options.topic : !topic.spec.streams) continue;
    is_known = true;
    Result<void> printed = printer.print_topic(topic);
    if (!printed) return printed;
  }
  if (options.topic && !is_known)
    return Error{Errc::not_found, "no topic " + *options.topic + (known.empty() ? "; there are none" : "; there are " + known)};
  if (options.stream && !printer.any() && options.limit > 0 && out.ok())
    return Error{Errc::not_found, "no stream " + *options.stream + (options.topic ? " in topic " + *options.topic : "")};
  return {};
}

}  // namespace lungo
