// Opens dashboards on a running tracker, posts events, and counts the messages that all dashboards get.
//
// usage: lungo-bench-dashboards PORT DASHBOARDS SECONDS EVENTS_PER_SECOND
// Prints {"dashboards", "messages", "bytes", "seconds", "events", "fewest", "most"}: messages in all, and of the dashboards
// that got the fewest and the most.
#include <algorithm>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/core/tcp_stream.hpp>
#include <boost/beast/http/read.hpp>
#include <boost/beast/http/string_body.hpp>
#include <boost/beast/http/write.hpp>
#include <boost/beast/websocket/stream.hpp>
#include <chrono>
#include <cstdint>
#include <iostream>
#include <string>
#include <vector>

namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
using Clock = std::chrono::steady_clock;

struct Bench {
  asio::io_context context{1};
  asio::ip::tcp::endpoint server;
  bool counting = false;
  bool over = false;
  std::vector<std::uint64_t> messages;  // by dashboard
  std::uint64_t bytes = 0;
  std::uint64_t events = 0;
};

asio::awaitable<void> dashboard(Bench& bench, std::size_t number) {
  beast::websocket::stream<beast::tcp_stream> socket{bench.context};
  co_await socket.next_layer().async_connect(bench.server, asio::use_awaitable);
  co_await socket.async_handshake("127.0.0.1", "/ws", asio::use_awaitable);
  const std::string watch = R"({"type": "watch", "period": "today"})";
  co_await socket.async_write(asio::buffer(watch), asio::use_awaitable);
  beast::flat_buffer buffer;
  while (!bench.over) {
    const std::size_t bytes = co_await socket.async_read(buffer, asio::use_awaitable);
    buffer.consume(bytes);
    if (!bench.counting) continue;
    ++bench.messages[number];
    bench.bytes += bytes;
  }
}

/// A sixteenth of the events, each after its share of time; so that answers which take a while delay nobody else.
asio::awaitable<void> visitor(Bench& bench, int number, double per_second) {
  beast::tcp_stream stream{bench.context};
  co_await stream.async_connect(bench.server, asio::use_awaitable);
  beast::flat_buffer buffer;
  asio::steady_timer timer{bench.context};
  Clock::time_point next = Clock::now();
  const auto pause = std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(1 / per_second));
  for (int i = 0; !bench.over; ++i) {
    beast::http::request<beast::http::string_body> request{beast::http::verb::post, "/api/event", 11};
    request.set(beast::http::field::host, "127.0.0.1");
    request.set(beast::http::field::user_agent,
                "Mozilla/5.0 (X11; Linux x86_64; rv:115.0) Firefox/115.0 v" + std::to_string(i % 50));
    request.set(beast::http::field::content_type, "application/json");
    request.body() = R"({"name": "pageview", "url": "http://localhost/page/)" + std::to_string((i * 7 + number) % 40) + "\"}";
    request.prepare_payload();
    co_await beast::http::async_write(stream, request, asio::use_awaitable);
    beast::http::response<beast::http::string_body> response;
    co_await beast::http::async_read(stream, buffer, response, asio::use_awaitable);
    if (response.result() != beast::http::status::no_content)
      throw std::runtime_error{"an event was refused: " + response.body()};
    if (bench.counting) ++bench.events;
    timer.expires_at(next += pause);
    co_await timer.async_wait(asio::use_awaitable);
  }
}

void run(Bench& bench, std::size_t dashboards, std::chrono::seconds time, double events_per_second) {
  constexpr int kVisitors = 16;
  const auto rethrow = [&bench](const std::exception_ptr& error) {
    if (error && !bench.over) std::rethrow_exception(error);
  };
  bench.messages.resize(dashboards);
  for (std::size_t number = 0; number < dashboards; ++number) asio::co_spawn(bench.context, dashboard(bench, number), rethrow);
  for (int number = 0; number < kVisitors; ++number)
    asio::co_spawn(bench.context, visitor(bench, number, events_per_second / kVisitors), rethrow);
  bench.context.run_for(std::chrono::seconds{2});  // all are connected, and what follows is steady
  bench.counting = true;
  bench.context.run_for(time);
  bench.over = true;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 5) {
    std::cerr << "usage: lungo-bench-dashboards PORT DASHBOARDS SECONDS EVENTS_PER_SECOND\n";
    return 2;
  }
  try {
    Bench bench;
    bench.server = {asio::ip::address_v4::loopback(), static_cast<std::uint16_t>(std::stoi(argv[1]))};
    const std::chrono::seconds time{std::stoi(argv[3])};
    run(bench, std::stoul(argv[2]), time, std::stod(argv[4]));
    std::uint64_t all = 0;
    for (const std::uint64_t one : bench.messages) all += one;
    const auto [fewest, most] = std::minmax_element(bench.messages.begin(), bench.messages.end());
    std::cout << "{\"dashboards\": " << bench.messages.size() << ", \"messages\": " << all << ", \"bytes\": " << bench.bytes
              << ", \"seconds\": " << time.count() << ", \"events\": " << bench.events << ", \"fewest\": " << *fewest
              << ", \"most\": " << *most << "}\n";
  } catch (const std::exception& error) {
    std::cerr << error.what() << '\n';
    return 1;
  }
}
