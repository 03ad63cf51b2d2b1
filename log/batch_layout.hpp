// Where the fields of a batch's header begin; their grammar is in record_batch.hpp.
#pragma once

#include <cstddef>
#include <cstdint>

namespace lungo::batch_layout {

inline constexpr std::size_t kLengthAt = 8;
inline constexpr std::size_t kEpochAt = 12;
inline constexpr std::size_t kMagicAt = 16;
inline constexpr std::size_t kCrcAt = 17;
inline constexpr std::size_t kAttributesAt = 21;
inline constexpr std::size_t kCrcCoversFrom = kAttributesAt;  // to the end of the batch
inline constexpr std::size_t kLastDeltaAt = 23;
inline constexpr std::size_t kBaseTimestampAt = 27;
inline constexpr std::size_t kMaxTimestampAt = 35;
inline constexpr std::size_t kProducerAt = 43;
inline constexpr std::size_t kProducerEpochAt = 51;
inline constexpr std::size_t kBaseSequenceAt = 53;
inline constexpr std::size_t kCountAt = 57;

inline constexpr std::int16_t kLogAppendTimeBit = 0x08;  // of the attributes
inline constexpr std::int16_t kDeleteHorizonBit = 0x40;  // of them: the cleaner's

}  // namespace lungo::batch_layout
