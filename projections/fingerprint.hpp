// A hash over rows in key order: two tables with the same rows have the same fingerprint.
//
// XXH3-128 over the ordered form of every cell; not for adversaries.
#pragma once

#include <memory>
#include <string>

#include <lungo/projections/state_store.hpp>

namespace lungo {

class Fingerprint {
 public:
  Fingerprint();
  ~Fingerprint();
  void add(Cells row);
  /// 32 hexadecimal digits.
  [[nodiscard]] std::string text() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
  std::string bytes_;
};

}  // namespace lungo
