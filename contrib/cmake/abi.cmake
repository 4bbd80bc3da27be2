# The ABI stamp: a hash over everything that must be equal in the core and in a module. It becomes part of a symbol's
# name, so that the dynamic linker refuses a module of another build before any of its code runs.
file(GLOB_RECURSE STROWGER_PUBLIC_HEADERS CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/core/*.hpp)
list(SORT STROWGER_PUBLIC_HEADERS)
set(stamp "${CMAKE_CXX_COMPILER_ID} ${CMAKE_CXX_COMPILER_VERSION} c++${CMAKE_CXX_STANDARD}")
string(REGEX REPLACE "([0-9]+)\\.[0-9.]+ c" "\\1 c" stamp "${stamp}")
string(APPEND stamp " san=${STROWGER_SANITIZE} boost=${Boost_VERSION} ${CMAKE_CXX_FLAGS}")
foreach(header IN LISTS STROWGER_PUBLIC_HEADERS)
  file(SHA256 ${header} digest)
  string(APPEND stamp " ${digest}")
  set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${header})
endforeach()
string(SHA256 stamp "${stamp}")
string(SUBSTRING ${stamp} 0 12 STROWGER_ABI)
set(STROWGER_GENERATED ${CMAKE_BINARY_DIR}/generated)
file(CONFIGURE OUTPUT ${STROWGER_GENERATED}/strowger_abi.hpp CONTENT
"#pragma once
// Generated: the name of the ABI sentinel that the core defines and every module refers to.
#define STROWGER_ABI_SYMBOL strowger_core_abi_@STROWGER_ABI@
#define STROWGER_ABI_TEXT \"@STROWGER_ABI@\"
#define STROWGER_VERSION \"@PROJECT_VERSION@\"
" @ONLY)
include_directories(${STROWGER_GENERATED})
