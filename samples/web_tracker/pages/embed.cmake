# Makes a .cpp out of files, so that the program carries its pages: cmake -DOUT=... -DROOT=... -DFILES=a;b -DCHART=... -P embed.cmake
#
# Each file becomes a raw string literal under its path below ROOT; CHART is Chart.js from Debian's package, as "chart.js".
set(text "// Generated from pages/ by embed.cmake.\n#include \"web/assets.hpp\"\n\nnamespace tracker {\n\n")
string(APPEND text "const std::vector<EmbeddedFile>& embedded_files() {\n  static const std::vector<EmbeddedFile> files{\n")
foreach(file IN LISTS FILES CHART)
  file(READ "${file}" content)
  if(file STREQUAL CHART)
    set(name "chart.js")
  else()
    cmake_path(RELATIVE_PATH file BASE_DIRECTORY "${ROOT}" OUTPUT_VARIABLE name)
  endif()
  string(APPEND text "      {\"${name}\", R\"lungo~(${content})lungo~\"},\n")
endforeach()
string(APPEND text "  };\n  return files;\n}\n\n}  // namespace tracker\n")
file(WRITE "${OUT}" "${text}")
