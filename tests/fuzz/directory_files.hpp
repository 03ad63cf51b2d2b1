// The files that the target `directory` knows, by the kind of their section.
#pragma once

#include <array>
#include <string_view>

namespace lungo::test {

inline constexpr std::array<std::string_view, 13> kDirectoryFiles{
    "lungo.meta",
    "lungo.topics",
    "lungo.clean-stop",
    "tail",
    "recovery-point-offset-checkpoint",
    "log-start-offset-checkpoint",
    "meta.properties",
    "topic-0/partition.metadata",
    "topic-0/00000000000000000000.log",
    "topic-0/synced-end",
    "topic-0/leader-epoch-checkpoint",
    "other-0/partition.metadata",
    "lungo.starts",
};

}  // namespace lungo::test
