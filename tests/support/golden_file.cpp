#include "tests/support/golden_file.hpp"

#include <gtest/gtest.h>

#include <fstream>
#include <sstream>

namespace lungo::test {

Bytes golden_file(const std::string& name) {
  std::ifstream file(std::string(LUNGO_GOLDEN_FILES) + "/" + name);
  EXPECT_TRUE(file.is_open()) << name;
  Bytes bytes;
  for (std::string line; std::getline(file, line);) {
    std::istringstream words(line.substr(0, line.find('#')));
    for (std::string word; words >> word;) {
      for (std::size_t i = 0; i + 1 < word.size(); i += 2) {
        bytes.push_back(static_cast<std::byte>(std::stoi(word.substr(i, 2), nullptr, 16)));
      }
    }
  }
  return bytes;
}

}  // namespace lungo::test
