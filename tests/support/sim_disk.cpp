// SimDisk: open files, steps and faults, bytes.
#include "tests/support/sim_disk.hpp"

#include <algorithm>

namespace lungo::test {

// ---- power, steps and faults (power cuts: sim_disk_power.cpp) ----

void SimDisk::power_off_before(std::uint64_t number) { cut_write(number, 0); }

void SimDisk::cut_write(std::uint64_t number, std::size_t bytes) {
  const std::lock_guard lock(mutex_);
  off_before_ = number;
  bytes_before_off_ = bytes;
}

bool SimDisk::is_off() const {
  const std::lock_guard lock(mutex_);
  return off_before_ && steps_ >= *off_before_;
}

Error SimDisk::off_error(const std::string& path) const { return Error{Errc::io, path + ": the power is off"}; }

std::uint64_t SimDisk::steps() const {
  const std::lock_guard lock(mutex_);
  return steps_;
}

std::uint64_t SimDisk::reads() const {
  const std::lock_guard lock(mutex_);
  return reads_;
}

std::uint64_t SimDisk::calls() const {
  const std::lock_guard lock(mutex_);
  return calls_;
}

void SimDisk::on_step(std::function<void(const DiskStep&)> hook) {
  const std::lock_guard lock(mutex_);
  before_hook_ = std::move(hook);
}

void SimDisk::after_step(std::function<void(const DiskStep&)> hook) {
  const std::lock_guard lock(mutex_);
  after_hook_ = std::move(hook);
}

void SimDisk::fail_step(std::uint64_t number, Errc code, bool for_ever) {
  const std::lock_guard lock(mutex_);
  step_faults_.insert_or_assign(number, StepFault{code, for_ever});
}

void SimDisk::fail_read(std::uint64_t number, ReadFault fault) {
  const std::lock_guard lock(mutex_);
  read_faults_.insert_or_assign(number, fault);
}

void SimDisk::fail_call(std::uint64_t number, Errc code, bool for_ever) {
  const std::lock_guard lock(mutex_);
  call_faults_.insert_or_assign(number, StepFault{code, for_ever});
}

void SimDisk::clear_faults() {
  const std::lock_guard lock(mutex_);
  call_faults_.clear();
  step_faults_.clear();
  read_faults_.clear();
}

void SimDisk::set_capacity(std::optional<std::uint64_t> bytes) {
  const std::lock_guard lock(mutex_);
  capacity_ = bytes;
}

std::uint64_t SimDisk::used_bytes() const {
  const std::lock_guard lock(mutex_);
  return used_bytes_;
}

std::optional<Error> SimDisk::fault_at(const std::map<std::uint64_t, StepFault>& faults, std::uint64_t number,
                                       std::string_view operation, const std::string& path) {
  const auto fault = faults.upper_bound(number);
  if (fault == faults.begin()) return std::nullopt;
  const auto& [first, what] = *std::prev(fault);
  if (first != number && !what.for_ever) return std::nullopt;
  return Error{what.code, std::string(operation) + " " + path + ": fault injected at number " + std::to_string(number)};
}

std::optional<Error> SimDisk::begin_step(std::string_view operation, const std::string& path, std::size_t bytes) {
  if (is_off()) return off_error(path);
  if (before_hook_) before_hook_({steps_ + 1, operation, path, bytes});
  ++steps_;
  if (is_off()) return off_error(path);
  std::optional<Error> fault = begin_look(operation, path);
  return fault ? fault : fault_at(step_faults_, steps_, operation, path);
}

void SimDisk::end_step(std::string_view operation, const std::string& path, std::size_t bytes) {
  if (after_hook_) after_hook_({steps_, operation, path, bytes});
}

std::optional<Error> SimDisk::begin_look(std::string_view operation, const std::string& path) {
  return fault_at(call_faults_, ++calls_, operation, path);
}

std::optional<ReadFault> SimDisk::begin_read() {
  ++reads_;
  if (begin_look("read", "")) return ReadFault::error;
  const auto fault = read_faults_.find(reads_);
  if (fault == read_faults_.end()) return std::nullopt;
  return fault->second;
}

// ---- bytes ----

void SimDisk::apply(SimBytes& bytes, const Change& change) {
  if (change.truncates) {
    bytes.resize(change.at);
  } else {
    bytes.write(change.at, *change.bytes);
  }
}

void SimDisk::apply_now(NodeId id, Change change) {
  change.number = ++changes_;
  Node& node = nodes_[id];
  used_bytes_ -= node.bytes.size();
  apply(node.bytes, change);
  used_bytes_ += node.bytes.size();
  node.unsynced.push_back(std::move(change));
}

Result<std::size_t> SimDisk::read(NodeId id, const std::string& path, std::uint64_t position, std::span<std::byte> out) {
  std::size_t size = nodes_[id].bytes.read(position, out);
  const std::optional<ReadFault> fault = begin_read();
  if (!fault) return size;
  switch (*fault) {
    case ReadFault::error:
      return Error{Errc::io, "read " + path + ": fault injected at read " + std::to_string(reads_)};
    case ReadFault::bit_flip:
      if (size > 0) out[random_.below(size)] ^= std::byte{1} << static_cast<int>(random_.below(8));
      break;
    case ReadFault::cut_off:
      size = random_.below(size);
      break;
  }
  return size;
}

Result<void> SimDisk::write(NodeId id, const std::string& path, std::uint64_t position, BytesView bytes) {
  under_way_ = WriteUnderWay{id, position, bytes};
  const bool was_off = is_off();
  const std::optional<Error> fault = begin_step("write", path, bytes.size());
  under_way_.reset();
  if (fault && is_off()) {
    const BytesView done = was_off ? BytesView{} : bytes.first(std::min(bytes_before_off_, bytes.size()));
    if (!done.empty()) apply_now(id, {position, std::make_shared<Bytes>(done.begin(), done.end())});
    return *fault;
  }
  if (fault) bytes = bytes.first(random_.below(bytes.size() + 1));

  const std::uint64_t size = nodes_[id].bytes.size();
  const std::uint64_t growth = position + bytes.size() > size ? position + bytes.size() - size : 0;
  const std::uint64_t room = capacity_ ? *capacity_ - std::min(*capacity_, used_bytes_) : growth;
  const std::uint64_t missing = growth > room ? std::min<std::uint64_t>(growth - room, bytes.size()) : 0;
  const BytesView fitting = bytes.first(bytes.size() - missing);
  if (!fitting.empty()) apply_now(id, {position, std::make_shared<Bytes>(fitting.begin(), fitting.end())});
  end_step("write", path, fitting.size());

  if (fault) return *fault;
  if (missing > 0) return Error{Errc::no_space, "write " + path + ": the simulated disk is full"};
  return {};
}

Result<void> SimDisk::truncate(NodeId id, const std::string& path, std::uint64_t size) {
  if (std::optional<Error> fault = begin_step("truncate", path)) return *fault;
  apply_now(id, {size, {}, true});
  end_step("truncate", path);
  return {};
}

Result<void> SimDisk::preallocate(NodeId id, const std::string& path, std::uint64_t end) {
  if (std::optional<Error> fault = begin_step("preallocate", path)) return *fault;
  const std::uint64_t there = nodes_[id].bytes.size();
  if (capacity_ && end > there && used_bytes_ + (end - there) > *capacity_) {
    return Error{Errc::no_space, "preallocate " + path + ": the simulated disk is full"};
  }
  return {};
}

Result<std::uint64_t> SimDisk::size(NodeId id, const std::string& path) {
  if (std::optional<Error> fault = begin_look("size", path)) return *fault;
  return nodes_[id].bytes.size();
}

Result<void> SimDisk::sync(NodeId id, const std::string& path) {
  const std::optional<Error> fault = begin_step("sync", path);
  if (fault && is_off()) return *fault;
  Node& node = nodes_[id];
  for (const Change& change : node.unsynced) {
    if (!fault || random_.one_in(2)) apply(node.durable_bytes, change);
  }
  node.unsynced.clear();  // after a failure too: the pages count as clean, and the next sync succeeds without them
  end_step("sync", path);
  if (fault) return *fault;
  return {};
}

}  // namespace lungo::test
