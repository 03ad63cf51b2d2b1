// Keeps the library's info lines off the terminal in tests that open thousands of logs; warnings and errors stay.
#pragma once

namespace lungo::test {

class QuietLog {
 public:
  QuietLog();
  ~QuietLog();
  QuietLog(const QuietLog&) = delete;
  QuietLog& operator=(const QuietLog&) = delete;

 private:
  int level_before_;
};

}  // namespace lungo::test
