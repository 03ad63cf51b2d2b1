#include <lungo/log/tool_directory.hpp>

#include <filesystem>

#include <lungo/log/local_event_log.hpp>

namespace lungo {

Result<void> check_is_data_directory(const std::string& directory, std::string_view option) {
  std::error_code problem;
  const std::filesystem::file_status status = std::filesystem::status(directory, problem);
  if (!std::filesystem::exists(status) && (!problem || status.type() == std::filesystem::file_type::not_found))
    return Error{Errc::not_found,
                 "there is no directory " + directory + "; name the data directory with " + std::string(option)};
  if (!problem && !std::filesystem::is_directory(status))
    return Error{Errc::not_found, directory + " is a file, not a data directory"};
  if (!problem && !std::filesystem::exists(directory + "/lungo.meta", problem) && !problem)
    return Error{Errc::not_found, directory + " is no data directory: it has no lungo.meta"};
  return {};
}

Result<std::shared_ptr<EventLog>> open_to_look_at(const std::string& directory, std::string_view option) {
  if (Result<void> checked = check_is_data_directory(directory, option); !checked) return checked.error();
  return open_local(directory, {.read_only = true});
}

Error built_without_kafka() {
  return Error{Errc::unsupported, "built without Kafka; install librdkafka-dev and configure with -DLUNGO_WITH_KAFKA=ON"};
}

bool is_address(std::string_view text) {
  const std::size_t colon = text.find(':');
  if (colon == std::string_view::npos || text.substr(0, colon).find('/') != std::string_view::npos) return false;
  return text.substr(colon).starts_with("://") || text.substr(0, colon) == "kafka";
}

}  // namespace lungo
