#include "arguments.hpp"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <charconv>
#include <cstdlib>
#include <fstream>
#include <iostream>
#include <utility>

#include <lungo/log/tool_directory.hpp>

#include "forward/forward_protocol.hpp"
#include "model/funnel.hpp"

namespace tracker {
namespace {

using lungo::Errc;
using lungo::Error;
using lungo::Result;

constexpr std::size_t kPasswordBytesMin = 8;
constexpr double kRateMax = 1'000'000;

/// As the user gave them.
struct WebArguments {
  std::string bind = "127.0.0.1";
  std::uint16_t port = 8080;
  bool none = false;
  std::string password_file;
  std::vector<std::string> sites;
  double rate = 100;
  bool behind_proxy = false;
  std::optional<std::size_t> connections_per_address;
  std::int64_t update_milliseconds = 100;
};

// Nothing where it is, as CLI11 wants it; otherwise what is wrong.
std::string is_funnel(const std::string& pages) {
  const bool is_one = pages.find('\n') == pages.npos && !FunnelSteps{pages}.steps().empty();
  return is_one ? "" : "the steps are pages in one line, with commas between them";
}

// In lower case, as hosts of events come; what no host of a page looks like would match nothing and is refused.
std::string to_site(std::string& host) {
  if (host.empty() || host.find_first_of("/:") != host.npos || host.back() == '.')
    return "a site is a host such as example.com, without scheme, port, path or a dot at its end";
  std::transform(host.begin(), host.end(), host.begin(),
                 [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; });
  return "";
}

// CLI11's own checks let nan and infinity pass.
std::string is_rate(const std::string& text) {
  double rate = -1;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), rate);
  const bool is_one = error == std::errc{} && end == text.data() + text.size() && rate >= 0 && rate <= kRateMax;
  return is_one ? "" : "a number of events a second is expected, from 0 to a million, not " + text;
}

void add_input(CLI::App& app, CommandLine& line, std::string& endpoint) {
  app.add_option(
         "--import", line.run.imports,
         "access log to import, repeatable: Apache's or nginx's combined or common format; plain, gzip, or - for standard "
         "input. A file that was imported before goes on where it stopped and repeats nothing, and a last line that is cut "
         "off waits until it is whole; - can't resume when it is a pipe: given again, its lines count again")
      ->type_name("FILE")
      ->allow_extra_args(false);
  app.add_option("--follow", line.run.follows,
                 "access log to follow as it grows, like tail -F, through rotation; repeatable. A file that was rotated while "
                 "nobody followed it is not looked for: --import it")
      ->type_name("FILE")
      ->allow_extra_args(false);
  app.add_flag("--exit", line.run.exit, "import, print a summary and stop; no web service");
  app.add_flag("--json", line.run.json, "the summary of --exit as one JSON object");
  app.add_option("--data", line.run.data, "data directory, made when absent")->type_name("DIR")->capture_default_str();
  app.add_option(
         "--log", line.address,
         "where the events are, if not in the data directory: kafka://HOST:PORT[,HOST:PORT][/APP], with APP \"tracker\" "
         "unless said. The data directory keeps the secret, the read models and a copy of the events then; each process "
         "has its own. A directory is what --data names")
      ->type_name("DIR|ADDRESS");
  app.add_option("--kafka-config", line.kafka_config,
                 "librdkafka's settings, a line name=value for each: security.protocol, sasl.password, ... Otherwise the file "
                 "that LUNGO_KAFKA_CONFIG names")
      ->type_name("FILE");
  app.add_option("--endpoint", endpoint,
                 "where other trackers on the same cluster reach this one, which listens there: they send it the events of its "
                 "partitions. Otherwise 127.0.0.1 and any free port, which is for trackers of one machine")
      ->type_name("ADDRESS:PORT");
  app.add_flag("--verbose", line.run.verbose,
               "tell on stderr what the log does, and in the summary what each step of the imports did");
}

void add_web(CLI::App& app, WebArguments& web) {
  constexpr const char* kGroup = "Web service";
  app.add_option("--port", web.port, "port of the web service; 0: any free one")
      ->type_name("N")
      ->capture_default_str()
      ->group(kGroup);
  app.add_option("--bind", web.bind, "address of the web service; one that others can reach demands a password")
      ->type_name("ADDRESS")
      ->capture_default_str()
      ->group(kGroup);
  app.add_option("--password-file", web.password_file,
                 "its first line is the dashboard's password; or give it in the environment as WEB_TRACKER_PASSWORD")
      ->type_name("FILE")
      ->group(kGroup);
  app.add_option("--site", web.sites,
                 "host whose pages may send events, with its subdomains; repeatable. Pages of localhost always may")
      ->type_name("HOST")
      ->allow_extra_args(false)
      ->transform(CLI::Validator{to_site, "", "site"})
      ->group(kGroup);
  app.add_option("--rate-limit", web.rate, "events a second that one address may send, and twice as many at once; 0: no limit")
      ->type_name("N")
      ->check(is_rate)
      ->capture_default_str()
      ->group(kGroup);
  app.add_flag("--behind-proxy", web.behind_proxy,
               "the sender is the last address of X-Forwarded-For: for a service that only its reverse proxy can reach")
      ->group(kGroup);
  app.add_option("--connections-per-address", web.connections_per_address,
                 "connections that one address may have at once; 0: no limit. Otherwise 256, and with --behind-proxy no limit; "
                 "those of this machine are not counted")
      ->type_name("N")
      ->check(CLI::Range(0, 1'000'000))
      ->group(kGroup);
  app.add_option("--update-interval", web.update_milliseconds, "milliseconds between two updates of a dashboard")
      ->type_name("MS")
      ->check(CLI::Range(1, 60'000))
      ->capture_default_str()
      ->group(kGroup);
  app.add_flag("--no-web", web.none, "import and follow only")->group(kGroup);
}

void add_sessions(CLI::App& app, CommandLine& line, std::int64_t& lateness_seconds, std::int64_t& timeout_seconds) {
  constexpr const char* kGroup = "Sessions";
  app.add_option("--funnel", line.run.funnel, "steps of the funnel, e.g. '/,/shop*,/checkout'; kept in the data directory")
      ->type_name("PAGES")
      ->check(is_funnel)
      ->group(kGroup);
  app.add_option("--session-timeout", timeout_seconds, "seconds after its last page when a session is over")
      ->type_name("S")
      ->check(CLI::Range(1, 86'400))
      ->capture_default_str()
      ->group(kGroup);
  app.add_option("--lateness", lateness_seconds, "seconds that an event may come late and still join its session")
      ->type_name("S")
      ->check(CLI::Range(0, 86'400))
      ->capture_default_str()
      ->group(kGroup);
}

/// From the file, otherwise from the environment, otherwise none.
Result<std::string> password_of(const WebArguments& web) {
  std::string password;
  if (!web.password_file.empty()) {
    std::ifstream file{web.password_file};
    if (!std::getline(file, password)) return Error{Errc::not_found, "no password could be read from " + web.password_file};
    if (!password.empty() && password.back() == '\r') password.pop_back();
  } else if (const char* given = std::getenv("WEB_TRACKER_PASSWORD")) {
    password = given;
  } else {
    return password;
  }
  if (password.size() < kPasswordBytesMin)
    return Error{Errc::invalid_argument, "the password is shorter than " + std::to_string(kPasswordBytesMin) + " characters"};
  return password;
}

Result<std::optional<SiteOptions>> site_options(const WebArguments& web, const Arguments& run) {
  if (run.exit || web.none) return std::optional<SiteOptions>{};
  SiteOptions site;
  boost::system::error_code is_none;
  site.bind = boost::asio::ip::make_address(web.bind, is_none);
  if (is_none)
    return Error{Errc::invalid_argument, "--bind takes an IP address such as 127.0.0.1, 0.0.0.0 or ::1, not " + web.bind};
  site.port = web.port;
  Result<std::string> password = password_of(web);
  if (!password) return password.error();
  site.password = std::move(*password);
  Result<void> guarded = site.check_guarded();
  if (!guarded) return guarded.error();
  site.intake.sites = web.sites;
  site.intake.rate = {web.rate, 2 * web.rate};
  site.intake.behind_proxy = web.behind_proxy;
  site.limits.connections_per_address_max =
      web.connections_per_address.value_or(web.behind_proxy ? 0 : site.limits.connections_per_address_max);
  site.update_interval = std::chrono::milliseconds{web.update_milliseconds};
  return std::optional{std::move(site)};
}

/// Where others reach this tracker. Errors: invalid_argument.
Result<void> settle_endpoint(CommandLine& line, const std::string& given) {
  if (given.empty()) return {};
  if (line.address.empty()) return Error{Errc::invalid_argument, "--endpoint is for a log on Kafka: --log kafka://HOST:PORT"};
  const auto endpoint = endpoint_of(given);
  if (!endpoint || endpoint->address().is_unspecified()) {
    return Error{Errc::invalid_argument,
                 "--endpoint takes the IP address by which others reach this machine, and a port, such "
                 "as 192.0.2.1:7070, not " +
                     given};
  }
  line.endpoint = *endpoint;
  return {};
}

/// `--log DIR` is another way to say `--data DIR`. Errors: invalid_argument for both with different directories.
Result<void> settle_log(CommandLine& line, bool has_data) {
  if (lungo::is_address(line.address)) return {};
  if (line.address.empty()) {
    if (line.kafka_config.empty()) return {};
    return Error{Errc::invalid_argument, "--kafka-config is for a log on Kafka: --log kafka://HOST:PORT"};
  }
  if (has_data && line.address != line.run.data)
    return Error{Errc::invalid_argument, "--log and --data name two directories; say one of them, or --log kafka://HOST:PORT"};
  line.run.data = std::exchange(line.address, {});
  return {};
}

}  // namespace

std::optional<CommandLine> parse_command_line(int argc, const char* const* argv, int& status) {
  CommandLine line;
  WebArguments web;
  std::string endpoint;
  std::int64_t lateness_seconds = 60;
  std::int64_t timeout_seconds = line.session_timeout.count();
  CLI::App app{
      "Records what visitors do, as web servers' access logs and the pages themselves tell it, as events; keeps read models of "
      "them in DIR/views.db, and serves a live dashboard."};
  app.name("web-tracker");
  add_input(app, line, endpoint);
  add_web(app, web);
  add_sessions(app, line, lateness_seconds, timeout_seconds);
  app.footer(
      "`web-tracker replay --help`: look at the events and at the read models of a data directory, and make those anew.\n"
      "Exit status: 0 done; 1 failed; 2 wrong arguments; 75 disk full, the same command goes on where it stopped; 128 + N "
      "stopped by signal N before the work was done.");
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    status = app.exit(error) == 0 ? 0 : kExitUsage;
    return std::nullopt;
  }
  Result<void> settled = settle_log(line, app.count("--data") > 0);
  if (settled) settled = settle_endpoint(line, endpoint);
  Result<std::optional<SiteOptions>> site = settled ? site_options(web, line.run) : settled.error();
  if (!site) {
    std::cerr << "web-tracker: " << site.error().text() << '\n';
    status = kExitUsage;
    return std::nullopt;
  }
  line.run.site = std::move(*site);
  line.session_timeout = std::chrono::seconds{timeout_seconds};
  line.tracker.lateness = std::chrono::seconds{lateness_seconds};
  line.tracker.commit_interval =
      std::min<lungo::Duration>(line.tracker.commit_interval, std::chrono::milliseconds{web.update_milliseconds});
  return line;
}

}  // namespace tracker
