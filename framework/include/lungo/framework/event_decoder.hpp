// Turns records into the structs of this program: one decode per record, for any number of folds.
//
// For every reader of events. Each event type is added once and has one object whose memory is used again for every record of
// that type; a writer's shape is matched with the reader's struct once and then remembered as a plan.
// Threads: one at a time.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <lungo/framework/codec.hpp>
#include <lungo/framework/codec_json.hpp>
#include <lungo/framework/envelope.hpp>
#include <lungo/framework/event.hpp>
#include <lungo/framework/shape_registry.hpp>
#include <lungo/log/result.hpp>

namespace lungo {

/// One decoded event. `event` points to an E, where `type` is what add<E>() returned, and holds until the next decode().
struct Decoded {
  int type = -1;  // -1: an event that was not added, or no event at all
  const void* event = nullptr;
};

class EventDecoder {
 public:
  /// `shapes` must outlive the decoder.
  explicit EventDecoder(ShapeRegistry& shapes) : shapes_(&shapes) {}

  /// Index of the event type, 0 and up; the same for the same E. Throws invariant_broken when another type has one of E's
  /// names.
  template <class E>
  int add();

  /// Errors, all only for event types that were added; the text names type and place: unknown_shape, incompatible_shape,
  /// undecodable, unsupported (content type, encryption), which are about the event (is_about_event() in errors.hpp); for a
  /// shape that was not met before also as EventLog::read(), which say nothing about it.
  Result<Decoded> decode(const Envelope& envelope);

 private:
  /// One added event type, with its object and its plans.
  class Slot {
   public:
    virtual ~Slot() = default;
    [[nodiscard]] virtual TypeKey type() const = 0;
    [[nodiscard]] virtual const void* object() const = 0;
    virtual Result<std::size_t> add_plan(const Shape& writer) = 0;
    virtual Result<void> decode(std::size_t plan, BytesView payload) = 0;
    virtual Result<void> decode_json(std::string_view text) = 0;
    std::vector<std::string_view> names;
  };
  template <class E>
  class SlotOf;
  /// What became of a (shape, event name) pair that was met.
  struct Known {
    ShapeHash shape;
    std::string type;
    int slot = -1;
    std::size_t plan = 0;
  };

  int add_slot(std::unique_ptr<Slot> slot);
  [[nodiscard]] int slot_of(std::string_view type) const;
  Result<std::size_t> find_known(const Envelope& envelope);
  Result<Decoded> decode_unshaped(const Envelope& envelope);

  ShapeRegistry* shapes_;
  std::vector<std::unique_ptr<Slot>> slots_;
  std::vector<Known> known_;
  std::size_t last_ = 0;  // index into known_ of the last hit: most logs have runs of one type
};

template <class E>
class EventDecoder::SlotOf final : public Slot {
 public:
  SlotOf() {
    names.push_back(event_name<E>());
    for (const std::string_view alias : event_aliases<E>()) names.push_back(alias);
  }
  [[nodiscard]] TypeKey type() const override { return type_key<E>(); }
  [[nodiscard]] const void* object() const override { return &object_; }
  Result<std::size_t> add_plan(const Shape& writer) override {
    Result<DecodePlan<E>> plan = DecodePlan<E>::make(writer);
    if (!plan) return plan.error();
    plans_.push_back(std::move(*plan));
    return plans_.size() - 1;
  }
  Result<void> decode(std::size_t plan, BytesView payload) override { return plans_[plan].decode(payload, object_); }
  Result<void> decode_json(std::string_view text) override {
    if constexpr (requires { from_json<E>(text); }) {
      Result<E> event = from_json<E>(text);
      if (!event) return event.error();
      object_ = std::move(*event);
      return {};
    } else {
      return Error{Errc::unsupported, "no JSON codec for " + std::string(event_name<E>())};
    }
  }

 private:
  E object_{};
  std::vector<DecodePlan<E>> plans_;
};

template <class E>
int EventDecoder::add() {
  for (std::size_t index = 0; index < slots_.size(); ++index) {
    if (slots_[index]->type() == type_key<E>()) return static_cast<int>(index);
  }
  return add_slot(std::make_unique<SlotOf<E>>());
}

}  // namespace lungo
