#include "log_dump.hpp"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <filesystem>

#include <lungo/log/compression.hpp>

#include "../segment.hpp"
#include "../segment_walk.hpp"
#include "../storage_posix.hpp"
#include "record_text.hpp"

namespace lungo {
namespace {

namespace fs = std::filesystem;

/// In the order of their names. Errors: not_found; io.
Result<std::vector<fs::directory_entry>> entries_of(const fs::path& directory) {
  std::vector<fs::directory_entry> entries;
  std::error_code problem;
  fs::directory_iterator next{directory, problem};
  for (; !problem && next != fs::directory_iterator{}; next.increment(problem)) entries.push_back(*next);
  const bool is_gone = problem == std::errc::no_such_file_or_directory;
  if (problem) return Error{is_gone ? Errc::not_found : Errc::io, "list " + directory.string() + ": " + problem.message()};
  std::sort(entries.begin(), entries.end());
  return entries;
}

/// A pipe of such a name is no segment, and would be waited for.
void add_segments(const std::vector<fs::directory_entry>& entries, std::vector<std::string>& files) {
  std::error_code problem;
  for (const fs::directory_entry& entry : entries)
    if (entry.path().extension() == ".log" && entry.is_regular_file(problem)) files.push_back(entry.path());
}

std::string optional_json(std::string_view name, BytesView bytes, bool is_there) {
  std::string json;
  append_json_bytes(name, is_there ? std::optional{bytes} : std::nullopt, json);
  return json;
}

class Dump {
 public:
  Dump(std::string path, bool json, bool records, Output& out)
      : path_(std::move(path)), json_(json), records_(records), out_(out) {}

  Result<WalkCounts> run(File& file, std::uint64_t size) {
    if (!json_) out_.line("file " + printable(path_) + ", " + std::to_string(size) + " bytes");
    const WalkVisitor visitor{[this](const WalkedBatch& batch) { return print(batch); },
                              [this](const WalkedDamage& damage) { return print(damage); }};
    Result<WalkCounts> counts = walk_segment(file, size, visitor);
    if (counts) counts->damaged += undecodable_;
    return counts;
  }

 private:
  [[nodiscard]] std::string begin_json(std::string_view kind) const {
    std::string json = "{\"kind\":\"" + std::string(kind) + "\",\"file\":";
    append_json_string(printable(path_), json);
    return json;
  }

  bool print(const WalkedBatch& batch) {
    const BatchHeader& header = batch.header;
    const std::string first = std::to_string(header.base_offset.value());
    const std::string last = std::to_string(header.end_offset().value() - 1);
    const auto codec = static_cast<Compression>(header.compression());
    const std::pair<std::string, std::int64_t> numbers[] = {{"bytes", static_cast<std::int64_t>(header.size_bytes())},
                                                            {"records", header.records_count},
                                                            {"epoch", header.epoch.value()}};
    const std::pair<std::string, std::int64_t> producer[] = {{"producer", header.producer.value()},
                                                             {"producerEpoch", header.producer_epoch},
                                                             {"baseSequence", header.base_sequence}};
    if (json_) {
      std::string json = begin_json("batch") + ",\"position\":" + std::to_string(batch.position);
      json += ",\"firstOffset\":" + first + ",\"lastOffset\":" + last;
      for (const auto& [name, number] : numbers) json += ",\"" + name + "\":" + std::to_string(number);
      json += ",\"codec\":\"" + std::string(to_string(codec)) + "\",\"crc\":" + std::to_string(header.crc);
      json += std::string(",\"crcHolds\":") + (batch.crc_holds ? "true" : "false");
      json +=
          ",\"baseTime\":\"" + time_text(header.base_timestamp) + "\",\"maxTime\":\"" + time_text(header.max_timestamp) + "\"";
      json += std::string(",\"timeOf\":\"") + (header.is_log_append_time() ? "append" : "create") + "\"";
      for (const auto& [name, number] : producer) json += ",\"" + name + "\":" + std::to_string(number);
      json += std::string(",\"control\":") + (header.is_control() ? "true" : "false");
      if (!batch.fault.empty()) append_json_string(batch.fault, json += ",\"fault\":");
      out_.line(json + "}");
    } else {
      std::string line = "batch at " + std::to_string(batch.position) + ": offsets " + first + " to " + last;
      for (const auto& [name, number] : numbers) line += " " + name + "=" + std::to_string(number);
      line += " codec=" + std::string(to_string(codec)) + " crc=" + (batch.crc_holds ? "ok" : "WRONG");
      line += " time=" + time_text(header.max_timestamp) + (header.is_log_append_time() ? " (of append)" : "");
      if (header.producer != kNoProducer)
        for (const auto& [name, number] : producer) line += " " + name + "=" + std::to_string(number);
      if (header.is_control()) line += " control";
      if (!batch.fault.empty()) line += " FAULT: " + batch.fault;
      out_.line(line);
    }
    if (records_ && batch.crc_holds) print_records(batch);
    return out_.ok();
  }

  void print_records(const WalkedBatch& batch) {
    RecordCursor cursor{batch.bytes, Offset{0}};
    while (const RecordView* record = cursor.next()) {
      const std::string key = optional_json("key", record->key, record->has_key);
      const std::string value = optional_json("value", record->value, record->has_value);
      std::string headers;
      HeaderCursor each{*record};
      while (const HeaderView* header = each.next())
        headers += (headers.empty() ? "{" : ",{") + optional_json("name", as_bytes(header->name), true) + "," +
                   optional_json("value", header->value, header->has_value) + "}";
      const std::string offset = std::to_string(record->offset.value());
      if (json_) {
        out_.line(begin_json("record") + ",\"position\":" + std::to_string(batch.position) + ",\"offset\":" + offset +
                  ",\"time\":\"" + time_text(record->timestamp) + "\"," + key + "," + value + ",\"headers\":[" + headers +
                  "]}");
      } else {
        out_.line("  record " + offset + " time=" + time_text(record->timestamp) + " " + key + " " + value +
                  (headers.empty() ? "" : " \"headers\":[" + headers + "]"));
      }
    }
    if (!cursor.error()) return;
    ++undecodable_;
    print(WalkedDamage{batch.position, batch.header.size_bytes(), std::string(cursor.error()->text()), false});
  }

  bool print(const WalkedDamage& damage) {
    if (json_) {
      std::string json = begin_json("damage") + ",\"position\":" + std::to_string(damage.position);
      json += ",\"bytes\":" + std::to_string(damage.bytes) + ",\"what\":";
      append_json_string(printable(damage.what), json);
      out_.line(json + ",\"atTheEnd\":" + (damage.at_the_end ? "true" : "false") + "}");
    } else {
      out_.line("DAMAGE at " + std::to_string(damage.position) + ", " + counted(damage.bytes, "byte") + ": " +
                printable(damage.what) +
                (damage.at_the_end ? "; up to the end of the file: a torn tail, or an append that is under way" : ""));
    }
    return out_.ok();
  }

  const std::string path_;
  const bool json_;
  const bool records_;
  Output& out_;
  std::uint64_t undecodable_ = 0;
};

void print_sum(std::size_t files, const WalkCounts& sum, bool json, Output& out) {
  if (!json) {
    const std::string damaged = sum.damaged == 0 ? "nothing damaged" : counted(sum.damaged, "damaged place");
    return out.line(counted(files, "file") + ", " + std::to_string(sum.batches) +
                    (sum.batches == 1 ? " batch, " : " batches, ") + counted(sum.records, "record") + ", " + damaged);
  }
  out.line("{\"kind\":\"sum\",\"files\":" + std::to_string(files) + ",\"batches\":" + std::to_string(sum.batches) +
           ",\"records\":" + std::to_string(sum.records) + ",\"damaged\":" + std::to_string(sum.damaged) + "}");
}

}  // namespace

Result<std::vector<std::string>> segment_files(const std::string& path) {
  std::error_code problem;
  const fs::file_status status = fs::status(path, problem);
  if (status.type() == fs::file_type::not_found)
    return Error{Errc::not_found, "there is no file or directory " + path +
                                      "; name a .log file, a partition's directory "
                                      "(DIR/TOPIC-0) or a data directory"};
  if (!fs::status_known(status)) return Error{Errc::io, path + ": " + problem.message()};
  if (fs::is_regular_file(status)) {
    const std::string name = fs::path(path).filename().string();
    if (name.find(kLogSuffix) != std::string::npos) return std::vector{path};  // or one that waits to be exchanged or removed
    return Error{Errc::invalid_argument, path + " is no segment: those end in " + std::string(kLogSuffix) +
                                             "; what lies beside them `lungo log verify` looks at"};
  }
  if (!fs::is_directory(status))
    return Error{Errc::invalid_argument, path + " is neither a file nor a directory: a segment is read at any place"};
  const Result<std::vector<fs::directory_entry>> entries = entries_of(path);
  if (!entries) return entries.error();
  std::vector<std::string> files;
  add_segments(*entries, files);
  if (!files.empty()) return files;
  for (const fs::directory_entry& entry : *entries) {
    if (!entry.is_directory(problem) || entry.path().filename().string().ends_with("-delete")) continue;
    const Result<std::vector<fs::directory_entry>> partition = entries_of(entry.path());
    if (!partition && partition.error() == Errc::not_found) continue;  // deleted meanwhile
    if (!partition) return partition.error();
    add_segments(*partition, files);
  }
  if (files.empty()) return Error{Errc::not_found, path + " holds no segments: no .log file lies there or one directory below"};
  return files;
}

void describe_dump(CLI::App& app, DumpOptions& options) {
  CLI::App* dump = app.add_subcommand("dump", "Print the batches of segment files as they are on disk, also of damaged ones");
  dump->add_option("PATH", options.paths, "A .log file, a partition's directory or a data directory; --dir when none is given");
  dump->add_flag("--records", options.records, "Also the records of each batch");
  dump->footer(
      "Examples: lungo log dump data/orders-0 --records\n"
      "          lungo log dump data/orders-0/00000000000000000000.log --json\n"
      "Needs no data directory around the files, reads Apache Kafka's too, and changes nothing. Behind damage it goes on at "
      "the next\n"
      "whole batch. Positions are bytes in the file.\n"
      "--json: {\"kind\": \"batch\", \"file\", \"position\", \"firstOffset\", \"lastOffset\", \"bytes\", \"records\", "
      "\"epoch\", "
      "\"codec\", \"crc\",\n"
      "\"crcHolds\", \"baseTime\", \"maxTime\", \"timeOf\": \"create\" | \"append\", \"producer\", \"producerEpoch\", "
      "\"baseSequence\", \"control\",\n"
      "\"fault\"}, {\"kind\": \"record\", \"file\", \"position\" of its batch, \"offset\", \"time\", \"key\", \"value\", "
      "\"headers\"}, "
      "{\"kind\":\n"
      "\"damage\", \"file\", \"position\", \"bytes\", \"what\", \"atTheEnd\"}; last {\"kind\": \"sum\", \"files\", "
      "\"batches\", "
      "\"records\", \"damaged\"}.\n"
      "Exit status 1 when anything is damaged.");
}

Result<int> run_dump(const ToolOptions& tool, const DumpOptions& options, Output& out) {
  const std::unique_ptr<Storage> storage = make_posix_storage();
  std::vector<std::string> files;
  for (const std::string& path : options.paths.empty() ? std::vector{tool.directory} : options.paths) {
    const Result<std::vector<std::string>> found = segment_files(path);
    if (!found) return found.error();
    files.insert(files.end(), found->begin(), found->end());
  }
  WalkCounts sum;
  for (const std::string& path : files) {
    Result<std::unique_ptr<File>> file = storage->open(path, OpenMode::read);
    if (!file && file.error() == Errc::not_found) continue;  // retention was quicker
    if (!file) return file.error();
    const Result<std::uint64_t> size = (*file)->size();
    if (!size) return size.error().with_context(path);
    Dump dump{path, tool.json, options.records, out};
    const Result<WalkCounts> counts = dump.run(**file, *size);
    if (!counts) return counts.error().with_context(path);
    sum.batches += counts->batches;
    sum.records += counts->records;
    sum.damaged += counts->damaged;
    if (!out.ok()) break;
  }
  print_sum(files.size(), sum, tool.json, out);
  return sum.damaged == 0 ? 0 : 1;
}

}  // namespace lungo
