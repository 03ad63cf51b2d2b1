#include <lungo/framework/shape_registry.hpp>

#include <algorithm>
#include <cstring>

#include <lungo/log/log_text.hpp>

namespace lungo {

namespace {

constexpr std::size_t kChunkBytes = 1u << 20;

TopicPartition shapes_partition() { return {std::string(kShapesTopic), PartitionId{0}}; }

TopicSpec shapes_spec() {
  TopicSpec spec;
  spec.name = kShapesTopic;
  spec.partitions = 1;
  spec.compact = true;
  return spec;
}

}  // namespace

std::size_t ShapeRegistry::HashOfHash::operator()(const ShapeHash& hash) const noexcept {
  std::size_t value = 0;
  std::memcpy(&value, hash.data(), sizeof value);  // SHA-256: any of its bytes are as good as a hash
  return value;
}

ShapeRegistry::ShapeRegistry(std::shared_ptr<EventLog> log) : log_(std::move(log)) {}

Result<void> ShapeRegistry::publish(std::span<const Shape* const> shapes) {
  if (unknown_of(shapes).empty()) return {};
  if (!log_->read_only()) {
    Result<TopicInfo> topic = log_->create_topic(shapes_spec());
    if (!topic) return topic.error();
  }
  {
    const std::lock_guard lock(mutex_);
    Result<void> read = read_to_end_locked();
    if (!read) return read;
  }
  // No lock while they are on their way, which may take long. Others may write the same ones meanwhile; that is harmless.
  AppendRequest request{.to = shapes_partition(), .records = {}, .condition = {}, .since = {}};
  const std::vector<const Shape*> added = unknown_of(shapes);
  for (const Shape* shape : added) {
    if (log_->read_only()) {
      return Error{Errc::unsupported, "a read-only log lacks the shape of " + std::string(shape->name())};
    }
    const RecordFields row{log_->ports().clock.now(), BytesView{shape->hash()}, shape->canonical(), {}};
    Result<void> encoded = request.records.add(row);
    if (!encoded) return encoded;
  }
  if (added.empty()) return {};
  Result<Appended> appended = append_wait(*log_, std::move(request));
  if (!appended) return appended.error().with_context("publishing shapes");
  const std::lock_guard lock(mutex_);
  for (const Shape* shape : added) shapes_.emplace(shape->hash(), std::make_shared<const Shape>(*shape));
  return {};
}

std::vector<const Shape*> ShapeRegistry::unknown_of(std::span<const Shape* const> shapes) {
  const std::lock_guard lock(mutex_);
  std::vector<const Shape*> unknown;
  for (const Shape* shape : shapes) {
    if (!shapes_.contains(shape->hash()) && std::ranges::find(unknown, shape) == unknown.end()) unknown.push_back(shape);
  }
  return unknown;
}

Result<std::shared_ptr<const Shape>> ShapeRegistry::find(const ShapeHash& hash) {
  const std::lock_guard lock(mutex_);
  auto found = shapes_.find(hash);
  if (found == shapes_.end()) {
    Result<void> read = read_to_end_locked();
    if (!read) return read.error();
    found = shapes_.find(hash);
  }
  if (found == shapes_.end()) {
    if (const auto bad = bad_.find(hash); bad != bad_.end()) return bad->second;
    return Error{Errc::unknown_shape, std::string(kShapesTopic) + " holds no shape " + to_string(hash)};
  }
  return found->second;
}

Result<void> ShapeRegistry::read_to_end_locked() {
  while (true) {
    Result<Fetched> chunk = log_->read(shapes_partition(), next_, kChunkBytes);
    if (!chunk && chunk.error() == Errc::not_found) return {};  // nothing was ever published
    if (!chunk) return chunk.error();
    if (chunk->empty()) return {};
    RecordCursor cursor = chunk->records();
    while (const RecordView* record = cursor.next()) take_row_locked(*record);
    if (cursor.error()) return *cursor.error();
    next_ = chunk->next().offset;
  }
}

void ShapeRegistry::take_row_locked(const RecordView& record) {
  Result<Shape> shape = Shape::parse(record.value);
  if (shape && std::ranges::equal(record.key, shape->hash())) {
    bad_.erase(shape->hash());
    shapes_.emplace(shape->hash(), std::make_shared<const Shape>(std::move(*shape)));
    return;
  }
  // The row is passed over: those behind it are as good as ever.
  const std::string why = shape ? "the key is not the hash of the shape" : std::string(shape.error().text());
  const Error error{Errc::undecodable,
                    std::string(kShapesTopic) + " at offset " + std::to_string(record.offset.value()) + ": " + why,
                    record.offset};
  log_text("framework", Severity::error, to_string(error));
  ShapeHash hash{};
  if (record.key.size() != hash.size()) return;
  std::ranges::copy(record.key, hash.begin());
  if (!shapes_.contains(hash)) bad_.insert_or_assign(hash, error);
}

}  // namespace lungo
