#include "web/rate_limit.hpp"

#include <algorithm>
#include <cmath>

#include "http/peer_address.hpp"

namespace tracker {
namespace {

/// What it takes to pay for a batch over the burst; nobody waits longer for having sent one.
constexpr std::chrono::hours kDebtMax{1};

}  // namespace

lungo::Duration RateLimit::take(const boost::asio::ip::address& from, double tokens, lungo::Instant now) {
  if (rate_.per_second <= 0) return lungo::Duration::zero();
  const double needed = std::min(tokens, rate_.burst);
  const std::uint64_t key = http::network_of(from);
  auto found = buckets_.find(key);
  if (found == buckets_.end()) {
    if (buckets_.size() >= kAddressesMax) make_room(now);
    found = buckets_.emplace(key, Bucket{rate_.burst, now}).first;
  }
  Bucket& bucket = found->second;
  bucket.tokens = tokens_in(bucket, now);
  bucket.at = now;
  if (bucket.tokens < needed) return until(needed - bucket.tokens);
  bucket.tokens = std::max(bucket.tokens - tokens, -rate_.per_second * std::chrono::duration<double>(kDebtMax).count());
  return lungo::Duration::zero();
}

lungo::Duration RateLimit::wait(const boost::asio::ip::address& from, double tokens, lungo::Instant now) const {
  const auto found = buckets_.find(http::network_of(from));
  if (found == buckets_.end()) return lungo::Duration::zero();
  return until(std::min(tokens, rate_.burst) - tokens_in(found->second, now));
}

double RateLimit::tokens_in(const Bucket& bucket, lungo::Instant now) const {
  const double passed = std::chrono::duration<double>(now - bucket.at).count();
  return std::min(rate_.burst, bucket.tokens + passed * rate_.per_second);
}

lungo::Duration RateLimit::until(double missing) const {
  if (missing <= 0) return lungo::Duration::zero();
  return std::chrono::ceil<std::chrono::milliseconds>(std::chrono::duration<double>{missing / rate_.per_second});
}

/// Forgets whose bucket is full again; if all are busy, everyone: a fresh start for some is better than no limit on memory.
void RateLimit::make_room(lungo::Instant now) {
  std::erase_if(buckets_, [&](const auto& entry) { return tokens_in(entry.second, now) >= rate_.burst; });
  if (buckets_.size() >= kAddressesMax) buckets_.clear();
}

}  // namespace tracker
