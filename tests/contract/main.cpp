// The contract suite as a program of tests, and what prints docs/reference/homes.md: `lungo_contract_tests --page`.
#include <gtest/gtest.h>

#include <iostream>
#include <string_view>

#include "tests/contract/home.hpp"

int main(int argc, char** argv) {
  testing::InitGoogleTest(&argc, argv);
  if (argc == 2 && argv[1] == std::string_view("--page")) {
    std::cout << lungo::contract::page();
    return 0;
  }
  return RUN_ALL_TESTS();
}
