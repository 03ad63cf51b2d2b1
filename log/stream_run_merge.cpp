#include "stream_run_merge.hpp"

#include <algorithm>
#include <utility>

#include <lungo/log/check.hpp>

namespace lungo {

Result<std::unique_ptr<StreamRunMerge>> StreamRunMerge::begin(Storage& storage, std::string path, const Runs& runs,
                                                              Offset start) {
  if (runs.empty()) return Error{Errc::invalid_argument, "nothing to merge into " + path};
  for (std::size_t i = 1; i < runs.size(); ++i) {
    if (runs[i]->origin().begin != runs[i - 1]->origin().end) {
      return Error{Errc::invalid_argument, runs[i]->path() + " does not begin where " + runs[i - 1]->path() + " ends"};
    }
  }
  StreamRunOrigin origin = runs.back()->origin();  // the history of the last one
  origin.begin = std::max(runs.front()->origin().begin, start);
  if (origin.begin > origin.end) return Error{Errc::invalid_argument, "nothing is left to merge into " + path};
  Result<std::unique_ptr<StreamRunWriter>> writer = StreamRunWriter::create(storage, std::move(path), origin);
  if (!writer) return writer.error();
  return std::unique_ptr<StreamRunMerge>{new StreamRunMerge(runs, start, std::move(*writer))};
}

StreamRunMerge::StreamRunMerge(const Runs& runs, Offset start, std::unique_ptr<StreamRunWriter> writer)
    : start_(start), writer_(std::move(writer)) {
  for (auto run = runs.rbegin(); run != runs.rend(); ++run) inputs_.push_back(std::make_unique<Input>(*run));
}

std::uint64_t StreamRunMerge::work() const {
  std::uint64_t bytes = writer_->bytes_written();
  for (const auto& input : inputs_) bytes += input->cursor.bytes_read();
  return bytes;
}

Result<bool> StreamRunMerge::step(std::size_t bytes) {
  if (done_) return true;
  const std::uint64_t end = work() + bytes;
  if (Result<void> started = start_inputs(); !started) return started.error();
  while (!copied_) {
    const Result<bool> copied = hash_ == 0 ? begin_stream() : copy_record();
    if (!copied) return copied.error();
    if (work() >= end) return false;
  }
  const Result<bool> finished = writer_->finish(bytes);
  if (!finished || !*finished) return finished;
  if (Result<void> published = writer_->publish(true); !published) return published.error();
  done_ = true;
  return true;
}

Result<void> StreamRunMerge::start_inputs() {
  if (std::exchange(started_, true)) return {};
  for (const auto& input : inputs_) {
    const Result<bool> next = input->cursor.next();
    if (!next) return next.error();
    input->at_end = !*next;
  }
  return {};
}

// The least hash of all. False, and copied_, when there is none.
Result<bool> StreamRunMerge::begin_stream() {
  for (const auto& input : inputs_) {
    if (input->at_end) continue;
    const std::uint64_t hash = input->cursor.stream().hash;
    if (hash_ == 0 || hash < hash_) hash_ = hash;
  }
  input_ = 0;
  writing_ = false;
  copied_ = hash_ == 0;
  return !copied_;
}

// One record of the stream, from the newest input's latest on; or on to the next input; or the end of the stream.
Result<bool> StreamRunMerge::copy_record() {
  if (input_ == inputs_.size()) {
    if (Result<void> ended = end_stream(); !ended) return ended.error();
    return true;
  }
  StreamRunCursor& cursor = inputs_[input_]->cursor;
  if (inputs_[input_]->at_end || cursor.stream().hash != hash_) {
    ++input_;
    return true;
  }
  const Result<std::optional<Offset>> offset = cursor.next_record();
  if (!offset) return offset.error();
  if (*offset && **offset >= start_) {
    if (Result<void> taken = take(**offset, cursor.stream().place); !taken) return taken.error();
    return true;
  }
  // The input has no more of it that is wanted, and no older one has.
  const Result<bool> next = cursor.next();
  if (!next) return next.error();
  inputs_[input_++]->at_end = !*next;
  return true;
}

Result<void> StreamRunMerge::take(Offset offset, std::uint32_t place) {
  if (writing_) return writer_->add_earlier(offset);
  writing_ = true;
  writer_->begin_stream(hash_, offset, place);
  return {};
}

Result<void> StreamRunMerge::end_stream() {
  hash_ = 0;
  return writing_ ? writer_->end_stream() : Result<void>{};
}

}  // namespace lungo
