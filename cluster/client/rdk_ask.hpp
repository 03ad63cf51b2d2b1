// librdkafka's admin requests, one at a time for whoever waits. For rdk_*.cpp alone.
#pragma once

#include <algorithm>
#include <array>

#include <lungo/log/check.hpp>

#include "client/rdk_client.hpp"

namespace lungo::rdk {

inline std::string_view text_or_empty(const char* text) {
  return text == nullptr ? std::string_view{} : std::string_view{text};
}

/// How long a request lives in librdkafka, and how long its answer is waited for.
struct AskTimes {
  Duration request;
  Duration wait;
};

/// Sends what `send(options, queue)` sends. nullptr: no answer came in time.
template <class Send>
Event answer_of(const Client& client, rd_kafka_admin_op_t operation, AskTimes times, bool require_stable, Send send) {
  const AdminOptions options(rd_kafka_AdminOptions_new(client.get(), operation));
  std::array<char, 256> words{};
  const int ms = std::max(1, timeout_ms(times.request));  // librdkafka takes 0 for "as usual"
  const rd_kafka_resp_err_t code = rd_kafka_AdminOptions_set_request_timeout(options.get(), ms, words.data(), words.size());
  check(code == RD_KAFKA_RESP_ERR_NO_ERROR, "librdkafka takes an hour at most");
  if (require_stable) {
    const CallError refused(rd_kafka_AdminOptions_set_require_stable_offsets(options.get(), 1));
    check(refused == nullptr, "the operation knows stable offsets");
  }
  const Queue queue(rd_kafka_queue_new(client.get()));
  send(options.get(), queue.get());
  return Event(rd_kafka_queue_poll(queue.get(), timeout_ms(times.wait)));
}

/// What it answers, unless that is an error.
inline Result<Event> checked(const Client& client, Event event, const RdkAttempt& attempt) {
  if (event == nullptr) return client.error(RD_KAFKA_RESP_ERR__TIMED_OUT, {}, attempt);
  const rd_kafka_resp_err_t code = rd_kafka_event_error(event.get());
  if (code != RD_KAFKA_RESP_ERR_NO_ERROR) {
    return client.error(code, text_or_empty(rd_kafka_event_error_string(event.get())), attempt);
  }
  client.causes().answered();
  return event;
}

}  // namespace lungo::rdk
