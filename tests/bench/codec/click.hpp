// The event that the codec benchmark encodes: a click of about 300 bytes, as a web shop would record it.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace lungo::bench {

struct Item {
  std::string sku;
  std::int32_t quantity = 0;
  double price = 0;
};

struct Clicked {
  std::string url;
  std::string referrer;
  std::string user_agent;
  std::string visitor;
  std::int64_t occurred_ms = 0;
  std::int32_t status = 0;
  std::int32_t width = 0;
  std::int32_t height = 0;
  bool bot = false;
  std::optional<std::string> campaign;
  std::vector<Item> basket;
};

Clicked sample_click();

/// Boost.Serialization's binary archive, the peer: without header, into a reused buffer.
void boost_encode(const Clicked& click, std::string& out);
void boost_decode(const std::string& bytes, Clicked& out);

}  // namespace lungo::bench
