// Keeps the library's info lines off the terminal in tests that open thousands of logs; warnings and errors stay.
#pragma once

namespace lungo::test {

class QuietLog {
 public:
  QuietLog() : QuietLog(Loudness::warnings) {}
  ~QuietLog();
  QuietLog(const QuietLog&) = delete;
  QuietLog& operator=(const QuietLog&) = delete;

 protected:
  enum class Loudness { warnings, nothing };
  explicit QuietLog(Loudness loudness);

 private:
  int level_before_;
};

/// The same for tests that damage what they open: a hundred thousand recoveries are not news.
class SilentLog : public QuietLog {
 public:
  SilentLog() : QuietLog(Loudness::nothing) {}
};

}  // namespace lungo::test
