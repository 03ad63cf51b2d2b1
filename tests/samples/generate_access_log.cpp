// generate-access-log: writes a seeded, realistic access log to standard output.
#include <CLI/CLI.hpp>
#include <cstdio>
#include <string>

#include "tests/support/access_log_generator.hpp"

int main(int argc, char** argv) {
  lungo::test::AccessLogOptions options;
  CLI::App app{
      "Writes a realistic access log in Apache's combined format to standard output; the same options give the same bytes."};
  app.add_option("--lines", options.lines, "how many lines")->capture_default_str();
  app.add_option("--seed", options.seed, "of the random numbers")->capture_default_str();
  app.add_option("--days", options.days, "that the log spans")->capture_default_str();
  app.add_option("--visitors", options.visitors, "size of the crowd")->capture_default_str();
  app.add_option("--urls", options.urls, "that the site has")->capture_default_str();
  app.add_option("--zipf", options.zipf, "exponent of the URLs' popularity")->capture_default_str();
  app.add_option("--bots", options.bots_percent, "share of lines by bots, in percent")->capture_default_str();
  app.add_option("--broken", options.broken_percent, "share of malformed lines, in percent")->capture_default_str();
  CLI11_PARSE(app, argc, argv);

  lungo::test::AccessLogGenerator generator{options};
  std::string block;
  bool more = true;
  while (more) {
    block.clear();
    while (block.size() < (1u << 20) && (more = generator.next(block))) {
    }
    if (std::fwrite(block.data(), 1, block.size(), stdout) != block.size()) {
      std::perror("generate-access-log: write");
      return 1;
    }
  }
  return std::fflush(stdout) == 0 ? 0 : 1;
}
