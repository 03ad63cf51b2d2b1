#include "forward/forward_service.hpp"

#include <utility>

#include "forward/forward_protocol.hpp"
#include "web/replies.hpp"

namespace tracker {

using http::Reply;
using http::status;

void ForwardService::connect(std::unique_ptr<lungo::ForwardServer> server, const std::optional<Secret>& secret) {
  server_ = std::move(server);
  secret_ = secret;
}

void ForwardService::handle(http::Request request, http::Responder respond) {
  if (request.path() != kForwardPath) return respond(refuse(status::not_found, "nothing is here but what trackers send"));
  if (request.method != http::verb::post) {
    Reply reply = refuse(status::method_not_allowed, "this path takes POST");
    reply.set("Allow", "POST");
    return respond(std::move(reply));
  }
  if (!secret_) return respond(refuse(status::forbidden, "this tracker has no secret, and takes nothing from others"));
  if (!is_seal_of(request[kSealField], *secret_, request.body))
    return respond(refuse(status::forbidden, "the seal is none of this tracker's secret"));
  const auto waiting = std::make_shared<http::Responder>(std::move(respond));
  server_->serve(lungo::as_bytes(request.body), [waiting](const lungo::Bytes& answer) {
    (*waiting)(plain(status::ok, "application/octet-stream", std::string(lungo::as_text(answer))));
  });
}

http::Upgrade ForwardService::upgrade(const http::Request&, http::WebSocket&) {
  http::Upgrade upgrade;
  upgrade.refusal = refuse(status::not_found, "no WebSocket is here");
  return upgrade;
}

Reply ForwardService::refuse(status code, std::string_view why) { return error_reply(code, why); }

}  // namespace tracker
