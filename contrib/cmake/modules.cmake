# strowger_add_module(NAME [DIR folder] SOURCES file... [LIBRARIES target...]): one loadable module, built so that it can leave memory again.
#
# -fno-gnu-unique: a GNU unique symbol pins its library for ever. The version script leaves one exported symbol.
# Modules go to <build>/modules, where the engine of a source tree looks for them.
function(strowger_add_module name)
  cmake_parse_arguments(arg "" "DIR" "SOURCES;LIBRARIES" ${ARGN})
  add_library(${name}_module MODULE ${arg_SOURCES})
  if(NOT arg_DIR)
    set(arg_DIR modules)
  endif()
  set_target_properties(${name}_module PROPERTIES
    PREFIX "" OUTPUT_NAME ${name}
    LIBRARY_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/${arg_DIR}
    CXX_VISIBILITY_PRESET hidden VISIBILITY_INLINES_HIDDEN ON
    LINK_DEPENDS ${CMAKE_SOURCE_DIR}/contrib/cmake/module.map)
  if(CMAKE_CXX_COMPILER_ID STREQUAL GNU)
    target_compile_options(${name}_module PRIVATE -fno-gnu-unique)
  endif()
  target_link_options(${name}_module PRIVATE -Wl,--version-script=${CMAKE_SOURCE_DIR}/contrib/cmake/module.map)
  if(NOT STROWGER_SANITIZE)
    target_link_options(${name}_module PRIVATE -Wl,-z,defs)
  endif()
  target_link_libraries(${name}_module PRIVATE strowger_core ${arg_LIBRARIES})
  set_property(GLOBAL APPEND PROPERTY STROWGER_MODULES ${name})
endfunction()
