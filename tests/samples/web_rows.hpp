// Tables of hostile requests: a row is what is sent and what must come back.
#pragma once

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "tests/samples/web_client.hpp"

namespace lungo::test {

struct Row {
  const char* name;
  std::string bytes;
  int status;                       // 0: the connection is closed without an answer
  std::vector<std::string> says{};  // each is in the answer, whose fields are written "Name: value"
};

/// The error's place, as the answer names it.
inline std::string names(std::string_view field) { return "\"field\":\"" + std::string{field} + "\""; }

/// What every answer of the service has, whatever was asked.
inline void expect_safe(const Answer& answer) {
  if (answer.status == 101) return;  // the beginning of something that is no answer
  EXPECT_EQ(answer["X-Content-Type-Options"], "nosniff");
  EXPECT_TRUE(answer["Date"].ends_with(" GMT")) << answer["Date"];
  EXPECT_EQ(answer["Referrer-Policy"], "same-origin");
  EXPECT_FALSE(answer.has("Access-Control-Allow-Credentials"));
  if (answer["Content-Type"].starts_with("text/html") || answer.has("Content-Security-Policy")) {
    EXPECT_EQ(answer["Content-Security-Policy"],
              "default-src 'self'; img-src 'self' data:; base-uri 'none'; form-action 'self'; frame-ancestors 'none'");
  }
}

inline std::string repeated(std::string_view text, int times) {
  std::string all;
  while (times-- > 0) all += text;
  return all;
}

inline std::string text_of(const Answer& answer) {
  std::string text;
  for (const auto& [name, value] : answer.fields) text += name + ": " + value + "\n";
  return text + answer.body;
}

inline void expect_row(const WebSite& site, const Row& row) {
  SCOPED_TRACE(row.name);
  const std::optional<Answer> answer = site.ask(row.bytes);
  EXPECT_EQ(answer ? answer->status : 0, row.status) << (answer ? text_of(*answer).substr(0, 500) : "");
  if (!answer) return;
  expect_safe(*answer);
  for (const std::string& words : row.says)
    EXPECT_NE(text_of(*answer).find(words), std::string::npos) << words << " is not in\n" << text_of(*answer).substr(0, 500);
}

/// Each row on a connection of its own; in the end the service must be as well as before.
inline void expect_rows(const WebSite& site, const std::vector<Row>& rows) {
  for (const Row& row : rows) expect_row(site, row);
  EXPECT_EQ(site.status_of(http_request("GET", "/healthz")), 200);
}

}  // namespace lungo::test
