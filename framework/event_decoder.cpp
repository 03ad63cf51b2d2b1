#include <lungo/framework/event_decoder.hpp>

#include <algorithm>

#include <lungo/log/check.hpp>

namespace lungo {

namespace {

std::string place_of(const Envelope& envelope) {
  const std::string shape = envelope.shape ? " (shape " + to_string(*envelope.shape) + ")" : std::string();
  return std::string(envelope.type) + shape + " in " +
         to_string(TopicPartition{std::string(envelope.topic), envelope.partition}) + " at offset " +
         std::to_string(envelope.offset.value());
}

Error at_place(const Error& error, const Envelope& envelope) {
  return {error.code(), place_of(envelope) + ": " + std::string(error.text()), envelope.offset};
}

}  // namespace

int EventDecoder::add_slot(std::unique_ptr<Slot> slot) {
  for (const std::string_view name : slot->names) {
    check(slot_of(name) < 0, "two event types of one decoder have different names and aliases");
  }
  slots_.push_back(std::move(slot));
  known_.clear();  // what was not among the types may be now
  last_ = 0;
  return static_cast<int>(slots_.size()) - 1;
}

int EventDecoder::slot_of(std::string_view type) const {
  for (std::size_t index = 0; index < slots_.size(); ++index) {
    const std::vector<std::string_view>& names = slots_[index]->names;
    if (std::ranges::find(names, type) != names.end()) return static_cast<int>(index);
  }
  return -1;
}

Result<Decoded> EventDecoder::decode(const Envelope& envelope) {
  if (envelope.type.empty()) return Decoded{};
  if (!envelope.shape || !envelope.content_type.empty() || !envelope.encryption_key.empty() || envelope.is_tombstone) {
    return decode_unshaped(envelope);
  }
  if (last_ >= known_.size() || known_[last_].shape != *envelope.shape || known_[last_].type != envelope.type) {
    Result<std::size_t> index = find_known(envelope);
    if (!index) return index.error();
    last_ = *index;
  }
  const Known& known = known_[last_];
  if (known.slot < 0) return Decoded{};
  Slot& slot = *slots_[static_cast<std::size_t>(known.slot)];
  Result<void> decoded = slot.decode(known.plan, envelope.payload);
  if (!decoded) return at_place(decoded.error(), envelope);
  return Decoded{known.slot, slot.object()};
}

Result<std::size_t> EventDecoder::find_known(const Envelope& envelope) {
  for (std::size_t index = 0; index < known_.size(); ++index) {
    if (known_[index].shape == *envelope.shape && known_[index].type == envelope.type) return index;
  }
  Known made{*envelope.shape, std::string(envelope.type), slot_of(envelope.type), 0};
  if (made.slot >= 0) {
    Result<std::shared_ptr<const Shape>> shape = shapes_->find(made.shape);
    if (!shape) return at_place(shape.error(), envelope);
    Result<std::size_t> plan = slots_[static_cast<std::size_t>(made.slot)]->add_plan(**shape);
    if (!plan) return at_place(plan.error(), envelope);
    made.plan = *plan;
  }
  known_.push_back(std::move(made));
  return known_.size() - 1;
}

Result<Decoded> EventDecoder::decode_unshaped(const Envelope& envelope) {
  const int index = slot_of(envelope.type);
  if (index < 0) return Decoded{};
  if (envelope.is_tombstone) return Error{Errc::undecodable, place_of(envelope) + " has no payload", envelope.offset};
  if (!envelope.encryption_key.empty()) {
    return Error{Errc::unsupported, place_of(envelope) + " is encrypted", envelope.offset};
  }
  if (envelope.content_type.empty()) {
    return Error{Errc::undecodable, place_of(envelope) + " names no shape", envelope.offset};
  }
  if (envelope.content_type != kJsonContent) {
    return Error{Errc::unsupported, place_of(envelope) + " has content type " + std::string(envelope.content_type),
                 envelope.offset};
  }
  Slot& slot = *slots_[static_cast<std::size_t>(index)];
  Result<void> decoded = slot.decode_json(as_text(envelope.payload));
  if (!decoded) return at_place(decoded.error(), envelope);
  return Decoded{index, slot.object()};
}

}  // namespace lungo
