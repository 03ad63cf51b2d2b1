// Where lines go: to standard error, unless the application has chosen otherwise.
#include "base/logger.hpp"

#include <gtest/gtest.h>

#include <spdlog/sinks/ostream_sink.h>
#include <spdlog/sinks/stdout_color_sinks.h>

#include <sstream>

#include <lungo/log/log_text.hpp>

namespace lungo::test {
namespace {

/// spdlog's default logger as a program finds it; what this process had comes back.
class LoggerTest : public testing::Test {
 protected:
  LoggerTest() {
    spdlog::set_default_logger(std::make_shared<spdlog::logger>("", std::make_shared<spdlog::sinks::stdout_color_sink_mt>()));
  }
  ~LoggerTest() override { spdlog::set_default_logger(before_); }

  struct Printed {
    std::string out;
    std::string err;
  };
  static Printed print() {
    testing::internal::CaptureStdout();
    testing::internal::CaptureStderr();
    log_text("elsewhere", Severity::info, "one line");
    logger()->info("another");
    logger()->debug("not this");
    Printed printed;
    printed.out = testing::internal::GetCapturedStdout();
    printed.err = testing::internal::GetCapturedStderr();
    return printed;
  }

 private:
  const std::shared_ptr<spdlog::logger> before_ = spdlog::default_logger();
};

TEST_F(LoggerTest, LinesThatNobodyRoutedGoToStandardError) {
  const Printed printed = print();
  EXPECT_EQ(printed.out, "");
  EXPECT_NE(printed.err.find("[info] [elsewhere] one line\n"), std::string::npos) << printed.err;
  EXPECT_NE(printed.err.find("[log] [info] another\n"), std::string::npos) << printed.err;
  EXPECT_EQ(printed.err.find("not this"), std::string::npos) << printed.err;
}

TEST_F(LoggerTest, TheirLevelIsTheApplications) {
  spdlog::default_logger()->set_level(spdlog::level::warn);
  EXPECT_EQ(print().err, "");
  spdlog::default_logger()->set_level(spdlog::level::debug);
  EXPECT_NE(print().err.find("not this"), std::string::npos);
}

TEST_F(LoggerTest, TheApplicationsDefaultLoggerHasThem) {
  spdlog::set_default_logger(std::make_shared<spdlog::logger>("app", std::make_shared<spdlog::sinks::stdout_color_sink_mt>()));
  const Printed on_stdout = print();
  EXPECT_EQ(on_stdout.err, "");
  EXPECT_NE(on_stdout.out.find("one line"), std::string::npos) << on_stdout.out;
  EXPECT_NE(on_stdout.out.find("another"), std::string::npos) << on_stdout.out;

  std::ostringstream kept;
  spdlog::set_default_logger(std::make_shared<spdlog::logger>("", std::make_shared<spdlog::sinks::ostream_sink_mt>(kept)));
  EXPECT_EQ(print().err, "");
  EXPECT_NE(kept.str().find("one line"), std::string::npos) << kept.str();
}

}  // namespace
}  // namespace lungo::test
