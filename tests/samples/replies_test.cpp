// Which status an error of the log becomes.
#include "web/replies.hpp"

#include <gtest/gtest.h>

namespace tracker {
namespace {

using http::status;
using lungo::Errc;
using lungo::Error;

bool has_retry_after(const http::Reply& reply) {
  for (const auto& [name, text] : reply.fields())
    if (name == "Retry-After") return true;
  return false;
}

TEST(ErrorReply, WhatMayPassIsToldToComeAgain) {
  for (const Errc code : {Errc::no_space, Errc::locked, Errc::timed_out, Errc::closed, Errc::partition_failed}) {
    const http::Reply reply = error_reply(Error{code, "why"});
    EXPECT_EQ(reply.code(), status::service_unavailable) << to_string(code);
    EXPECT_TRUE(has_retry_after(reply)) << to_string(code);
  }
}

TEST(ErrorReply, OthersSayWhoseFaultItIs) {
  EXPECT_EQ(error_reply(Error{Errc::not_found, ""}).code(), status::not_found);
  EXPECT_EQ(error_reply(Error{Errc::busy, "a rebuild runs"}).code(), status::conflict);
  EXPECT_EQ(error_reply(Error{Errc::invalid_argument, ""}).code(), status::bad_request);
  EXPECT_EQ(error_reply(Error{Errc::corrupt, ""}).code(), status::internal_server_error);
  EXPECT_EQ(error_reply(Error{Errc::io, ""}).code(), status::internal_server_error);
}

// Goal: what is the server's own trouble is named, and where its files lie is not.
TEST(ErrorReply, NoPathOfTheServerIsTold) {
  for (const Errc code : {Errc::no_space, Errc::locked, Errc::timed_out, Errc::closed, Errc::partition_failed, Errc::io,
                          Errc::corrupt, Errc::newer_format, Errc::not_owner}) {
    const std::string body = error_reply(Error{code, "/srv/data/events-0/000.log: the words of the log"}).body();
    EXPECT_EQ(body.find("srv"), body.npos) << body;
    EXPECT_GT(body.size(), 20U) << "the reason is named: " << body;
  }
  EXPECT_NE(error_reply(Error{Errc::no_space, "/srv: No space left on device"}).body().find("the disk is full"),
            std::string::npos);
  EXPECT_NE(error_reply(Error{Errc::invalid_argument, "`limit` must be a number"}).body().find("`limit`"), std::string::npos)
      << "what the asker did wrong is told in full";
}

}  // namespace
}  // namespace tracker
