// How much one address may ask for: a token bucket for each that came lately, or for its network (http::network_of).
//
// Threads: one at a time.
#pragma once

#include <array>
#include <boost/asio/ip/address.hpp>
#include <cstdint>
#include <unordered_map>

#include <lungo/log/types.hpp>

namespace tracker {

/// `per_second` tokens come back each second, up to `burst`. 0 per second: no limit.
struct Rate {
  double per_second = 0;
  double burst = 0;
};

class RateLimit {
 public:
  explicit RateLimit(Rate rate) : rate_(rate) {}

  /// Takes so many tokens. Zero: they were there; otherwise none was taken, and so long it takes until they are. Of more than a
  /// whole burst that much has to be there; the rest is owed, and nothing is given until it has come back, or for an hour.
  lungo::Duration take(const boost::asio::ip::address& from, double tokens, lungo::Instant now);
  /// How long it takes until so many are there; takes none.
  [[nodiscard]] lungo::Duration wait(const boost::asio::ip::address& from, double tokens, lungo::Instant now) const;
  [[nodiscard]] std::size_t size() const { return buckets_.size(); }

  /// Addresses that are remembered at most; about 64 bytes each.
  static constexpr std::size_t kAddressesMax = 65'536;

 private:
  struct Bucket {
    double tokens = 0;  // negative: owed
    lungo::Instant at{};
  };
  [[nodiscard]] double tokens_in(const Bucket& bucket, lungo::Instant now) const;
  [[nodiscard]] lungo::Duration until(double missing) const;
  void make_room(lungo::Instant now);

  const Rate rate_;
  std::unordered_map<std::uint64_t, Bucket> buckets_;
};

}  // namespace tracker
