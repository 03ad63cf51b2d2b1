// The kinds of files that the log writes, by their names or the ends of them, and where each is seen to rot. The list is
// compared with the code: a name that a source file of log/ gives to a `k...File`, `k...FileName` or `k...Suffix` has to stand
// here.
#pragma once

#include <array>
#include <filesystem>
#include <fstream>
#include <regex>
#include <set>
#include <sstream>
#include <string>
#include <string_view>

namespace lungo::test {

enum class RotsIn {
  directory,     // of bit_rot_crash_test.cpp, stopped or killed
  interruption,  // what is left there of an exchange or a replacement
  elsewhere,     // see the comment
};

struct FileKind {
  std::string_view name;  // the whole of it; where it begins with a dot, its end
  RotsIn where = RotsIn::directory;
};

inline constexpr std::array kFileKinds{
    FileKind{"lungo.meta"},
    FileKind{"lungo.topics"},
    FileKind{"lungo.clean-stop"},
    FileKind{"lungo.starts"},
    FileKind{"lungo.cleaned"},
    FileKind{"recovery-point-offset-checkpoint"},
    FileKind{"log-start-offset-checkpoint"},
    FileKind{"cleaner-offset-checkpoint"},
    FileKind{"tail"},
    FileKind{"partition.metadata"},
    FileKind{"leader-epoch-checkpoint"},
    FileKind{"synced-end"},
    FileKind{"damage"},
    FileKind{".log"},
    FileKind{".index"},
    FileKind{".timeindex"},
    FileKind{".digest"},
    FileKind{".streams"},
    FileKind{".snapshot"},
    FileKind{".cleaned", RotsIn::interruption},
    FileKind{".swap", RotsIn::interruption},
    FileKind{".deleted", RotsIn::interruption},
    FileKind{".tmp", RotsIn::interruption},
    FileKind{"lungo.backup", RotsIn::elsewhere},          // backup_manifest: `Restore.RefusesAManifestThatHasRottenAnywhere`
    FileKind{"lungo.mirror", RotsIn::elsewhere},          // mirror_log: `Mirror.AHeadThatHasRottenAnywhereIsRefused`
    FileKind{".lock", RotsIn::elsewhere},                 // is locked, and read for a message only
    FileKind{".txnindex", RotsIn::elsewhere},             // Kafka's: kept, and read by nobody
    FileKind{".kafka_cleanshutdown", RotsIn::elsewhere},  // Kafka's: removed, and read by nobody
};

/// That of a file; null for one of no kind.
inline const FileKind* kind_of(std::string_view path) {
  const std::string_view name = path.substr(path.rfind('/') + 1);
  for (const FileKind& kind : kFileKinds) {
    if (kind.name.starts_with('.') ? name.ends_with(kind.name) : name == kind.name) return &kind;
  }
  return nullptr;
}

/// The names of files, or their ends, that the sources of log/ have constants for.
inline std::set<std::string> names_in_the_code() {
  const std::regex constant{R"_(constexpr (?:const char\*|std::string_view) k\w*(?:File|FileName|Suffix) = "([^"]+)")_"};
  std::set<std::string> names;
  for (const auto& entry : std::filesystem::directory_iterator(LUNGO_LOG_SOURCES)) {
    if (entry.path().extension() != ".hpp" && entry.path().extension() != ".cpp") continue;
    std::stringstream text;
    text << std::ifstream(entry.path()).rdbuf();
    const std::string code = text.str();
    for (std::sregex_iterator found{code.begin(), code.end(), constant}, end; found != end; ++found) names.insert((*found)[1]);
  }
  return names;
}

}  // namespace lungo::test
