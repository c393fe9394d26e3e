# SPDX-License-Identifier: Apache-2.0
#
# How a room is built: one static library, its public headers, its tests, its fuzzers.

find_package(PkgConfig REQUIRED)
find_package(Threads REQUIRED)

add_library(fedway_flags INTERFACE)
target_compile_definitions(fedway_flags INTERFACE _GNU_SOURCE FEDWAY_VERSION="${PROJECT_VERSION}")
target_compile_options(fedway_flags INTERFACE
  -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wvla -Wformat=2 -Wcast-qual
  -Wwrite-strings -Wswitch-enum -Wundef -Wpointer-arith -Wnull-dereference -Wdouble-promotion
  -Wimplicit-fallthrough -Wconversion -Wno-sign-conversion -fno-strict-aliasing)
if(CMAKE_C_COMPILER_ID MATCHES Clang)
  # gcc's -Wconversion sees the same for integers, and lets a loop over an enum count in size_t.
  # Tables of our tests hold texts of several lines.
  target_compile_options(fedway_flags INTERFACE -Wno-shorten-64-to-32 -Wno-string-concatenation)
endif()
if(FEDWAY_WERROR)
  target_compile_options(fedway_flags INTERFACE -Werror)
endif()
if(FEDWAY_SANITIZE)
  target_compile_options(fedway_flags INTERFACE -fsanitize=address,undefined
    -fno-sanitize-recover=undefined -fno-omit-frame-pointer)
  target_link_options(fedway_flags INTERFACE -fsanitize=address,undefined)
endif()
if(FEDWAY_TSAN)
  target_compile_options(fedway_flags INTERFACE -fsanitize=thread)
  target_link_options(fedway_flags INTERFACE -fsanitize=thread)
endif()
if(FEDWAY_FUZZ)
  target_compile_options(fedway_flags INTERFACE -fsanitize=fuzzer-no-link)
  target_link_options(fedway_flags INTERFACE -fsanitize=fuzzer-no-link)
endif()
if(CMAKE_BUILD_TYPE STREQUAL "Release" OR CMAKE_BUILD_TYPE STREQUAL "RelWithDebInfo")
  target_compile_options(fedway_flags INTERFACE -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=2
    -fstack-protector-strong -fPIE)
  target_link_options(fedway_flags INTERFACE -pie -Wl,-z,relro,-z,now)
endif()

# fedway_room(NAME SOURCES... HEADERS... [LINK rooms...] [PKG pkg-config names...] [BASE_DIR dir])
# Public headers lie in NAME/include/NAME/ (or BASE_DIR) and are included as "NAME/x.h".
function(fedway_room name)
  cmake_parse_arguments(R "" "BASE_DIR" "SOURCES;HEADERS;LINK;PKG" ${ARGN})
  if(NOT R_BASE_DIR)
    set(R_BASE_DIR ${CMAKE_CURRENT_SOURCE_DIR}/include)
  endif()
  add_library(fed_${name} STATIC ${R_SOURCES})
  target_sources(fed_${name} PUBLIC FILE_SET HEADERS BASE_DIRS ${R_BASE_DIR} FILES ${R_HEADERS})
  target_include_directories(fed_${name} PRIVATE ${CMAKE_CURRENT_SOURCE_DIR})
  target_link_libraries(fed_${name} PUBLIC fedway_flags Threads::Threads)
  foreach(room IN LISTS R_LINK)
    target_link_libraries(fed_${name} PUBLIC fed_${room})
  endforeach()
  foreach(pkg IN LISTS R_PKG)
    string(MAKE_C_IDENTIFIER ${pkg} id)
    if(NOT TARGET PkgConfig::${id})
      pkg_check_modules(${id} REQUIRED IMPORTED_TARGET GLOBAL ${pkg})
    endif()
    target_link_libraries(fed_${name} PUBLIC PkgConfig::${id})
  endforeach()
endfunction()

# fedway_test(ROOM NOUN...): tests/test_NOUN.c against the room's library, label `unit`.
function(fedway_test room)
  if(NOT FEDWAY_TESTS)
    return()
  endif()
  foreach(noun IN LISTS ARGN)
    add_executable(test_${room}_${noun} tests/test_${noun}.c)
    target_include_directories(test_${room}_${noun} PRIVATE ${CMAKE_CURRENT_SOURCE_DIR}
      ${CMAKE_SOURCE_DIR}/.ci/include)
    target_link_libraries(test_${room}_${noun} PRIVATE fed_${room} cmocka)
    target_compile_definitions(test_${room}_${noun} PRIVATE
      TEST_DATA_DIR="${CMAKE_CURRENT_SOURCE_DIR}/tests/data")
    add_test(NAME ${room}.${noun} COMMAND test_${room}_${noun})
    set_tests_properties(${room}.${noun} PROPERTIES LABELS unit TIMEOUT 120)
  endforeach()
endfunction()

# fedway_fuzz(ROOM NOUN...): fuzz/fuzz_NOUN.c defines LLVMFuzzerTestOneInput. Without
# FEDWAY_FUZZ it is linked with a driver that replays fuzz/corpus/NOUN/* as an ordinary test.
function(fedway_fuzz room)
  if(NOT FEDWAY_TESTS)
    return()
  endif()
  foreach(noun IN LISTS ARGN)
    add_executable(fuzz_${room}_${noun} fuzz/fuzz_${noun}.c)
    target_include_directories(fuzz_${room}_${noun} PRIVATE ${CMAKE_CURRENT_SOURCE_DIR})
    target_link_libraries(fuzz_${room}_${noun} PRIVATE fed_${room})
    if(FEDWAY_FUZZ)
      target_link_options(fuzz_${room}_${noun} PRIVATE -fsanitize=fuzzer)
    else()
      target_sources(fuzz_${room}_${noun} PRIVATE ${CMAKE_SOURCE_DIR}/.ci/fuzz_replay.c)
    endif()
    add_test(NAME ${room}.fuzz_${noun} COMMAND fuzz_${room}_${noun} -runs=0
             ${CMAKE_CURRENT_SOURCE_DIR}/fuzz/corpus/${noun})
    set_tests_properties(${room}.fuzz_${noun} PROPERTIES LABELS "unit;fuzz" TIMEOUT 120)
  endforeach()
endfunction()
