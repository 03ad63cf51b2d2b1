// What the writers of golden shapes share: printing a shape and a payload as hexadecimal lines.
#pragma once

#include <cstdio>
#include <lungo/framework/codec.hpp>

namespace golden {

inline void print_hex(lungo::BytesView bytes) {
  for (const std::byte byte : bytes) std::printf("%02x", std::to_integer<unsigned>(byte));
  std::printf("\n");
}

template <class T>
int print(const T& event) {
  lungo::Bytes payload;
  lungo::encode(event, payload);
  print_hex(lungo::shape_of<T>().canonical());
  print_hex(payload);
  return 0;
}

}  // namespace golden
