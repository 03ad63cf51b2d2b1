# What every target of the project shares: language level, warnings, sanitizers, and two functions: one makes a library out of a
# folder (its .cpp files outside tools/, its public headers under include/), one a program.

include(GNUInstallDirs)

set(CMAKE_CXX_STANDARD 20)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)
if(PROJECT_IS_TOP_LEVEL)
  set(CMAKE_EXPORT_COMPILE_COMMANDS ON)
  if(NOT CMAKE_BUILD_TYPE)
    set(CMAKE_BUILD_TYPE Release CACHE STRING "Build type" FORCE)
  endif()
endif()

add_library(lungo_options INTERFACE)
target_compile_features(lungo_options INTERFACE cxx_std_20)
target_compile_options(lungo_options INTERFACE
  -Wall -Wextra -Wpedantic -Wshadow -Wnon-virtual-dtor -Woverloaded-virtual -Wold-style-cast -Werror
  -fstack-protector-strong)
# A designated initializer leaves the other members at their defaults on purpose.
target_compile_options(lungo_options INTERFACE -Wno-missing-field-initializers)
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
  # g++ 12 warns falsely of overlapping copies in `"text" + string` (GCC bug 105651), and of uninitialised storage where a
  # Result, which is a boost::variant2, is moved.
  target_compile_options(lungo_options INTERFACE -Wno-restrict -Wno-maybe-uninitialized)
endif()
if(LUNGO_SANITIZE STREQUAL "address")
  target_compile_options(lungo_options INTERFACE -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer)
  target_link_options(lungo_options INTERFACE -fsanitize=address,undefined)
elseif(LUNGO_SANITIZE STREQUAL "thread")
  target_compile_options(lungo_options INTERFACE -fsanitize=thread -fno-omit-frame-pointer -Wno-tsan)
  target_compile_definitions(lungo_options INTERFACE BOOST_ASIO_DISABLE_FENCED_BLOCK)  # fences, which it does not understand
  target_link_options(lungo_options INTERFACE -fsanitize=thread)
elseif(LUNGO_SANITIZE STREQUAL "fuzzer")
  target_compile_options(lungo_options INTERFACE
    -fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer)
  target_link_options(lungo_options INTERFACE -fsanitize=address,undefined)
elseif(NOT LUNGO_SANITIZE STREQUAL "")
  message(FATAL_ERROR "LUNGO_SANITIZE is '${LUNGO_SANITIZE}'; it may be empty, address, thread or fuzzer")
endif()
if(NOT LUNGO_SANITIZE STREQUAL "")
  # Instrumented code takes long to compile, most of it what each source instantiates anew of the headers, so that eight sources as
  # one take a third of their time. Where the anonymous namespaces of two of them give one name to two things, one of them gets
  # SKIP_UNITY_BUILD_INCLUSION (tests/tidy sees to it that they hide no constant of a header). The ordinary build, which shows what
  # each source includes, compiles one at a time.
  set(CMAKE_UNITY_BUILD ON)
  set(CMAKE_UNITY_BUILD_BATCH_SIZE 8)
endif()
if(CMAKE_UNITY_BUILD)
  target_compile_options(lungo_options INTERFACE -Wno-shadow $<$<CXX_COMPILER_ID:GNU>:-Wno-subobject-linkage>)
endif()

find_package(Threads REQUIRED)

# lungo_library(FOLDER DEPENDS target...)
# Makes lungo_FOLDER (alias lungo::FOLDER) from the current folder.
function(lungo_library folder)
  cmake_parse_arguments(arg "" "" "PUBLIC;PRIVATE" ${ARGN})
  file(GLOB_RECURSE sources CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/*.cpp)
  list(FILTER sources EXCLUDE REGEX "/(tools|export)/")
  file(GLOB headers CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/include/lungo/${folder}/*.hpp)
  add_library(lungo_${folder} STATIC ${sources})
  add_library(lungo::${folder} ALIAS lungo_${folder})
  set_target_properties(lungo_${folder} PROPERTIES EXPORT_NAME ${folder} VERIFY_INTERFACE_HEADER_SETS ON)
  target_sources(lungo_${folder} PUBLIC FILE_SET HEADERS BASE_DIRS ${CMAKE_CURRENT_SOURCE_DIR}/include FILES ${headers})
  target_include_directories(lungo_${folder} PRIVATE ${CMAKE_CURRENT_SOURCE_DIR})
  target_compile_features(lungo_${folder} PUBLIC cxx_std_20)
  target_link_libraries(lungo_${folder} PUBLIC ${arg_PUBLIC} PRIVATE ${arg_PRIVATE} $<BUILD_INTERFACE:lungo_options>)
endfunction()

# lungo_tool(NAME SOURCE... [LIBRARIES target...])
# A program of Lungo's own. All of them lie in one folder, in the build tree and installed, where `lungo` finds the others.
function(lungo_tool name)
  cmake_parse_arguments(arg "" "" "LIBRARIES" ${ARGN})
  add_executable(${name} ${arg_UNPARSED_ARGUMENTS})
  set_target_properties(${name} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/bin)
  target_link_libraries(${name} PRIVATE ${arg_LIBRARIES} lungo_options)
endfunction()
