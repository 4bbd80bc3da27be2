# strowger_add_module(NAME [DIR folder] [TARGET name] SOURCES file... [LIBRARIES target...]): one loadable module, built so that
# it can leave memory again. TARGET is for a second build of one module, in a folder of its own.
#
# -fno-gnu-unique: a GNU unique symbol pins its library for ever. The version script leaves one exported symbol.
# Modules go to <build>/modules, where the engine of a source tree looks for them.
function(strowger_add_module name)
  cmake_parse_arguments(arg "" "DIR;TARGET" "SOURCES;LIBRARIES" ${ARGN})
  if(NOT arg_TARGET)
    set(arg_TARGET ${name}_module)
  endif()
  add_library(${arg_TARGET} MODULE ${arg_SOURCES})
  set_property(GLOBAL APPEND PROPERTY STROWGER_MODULE_TARGETS ${arg_TARGET})
  if(NOT arg_DIR)
    set(arg_DIR modules)
    set_property(GLOBAL APPEND PROPERTY STROWGER_MODULES ${name})
  endif()
  set_target_properties(${arg_TARGET} PROPERTIES
    PREFIX "" OUTPUT_NAME ${name}
    LIBRARY_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/${arg_DIR}
    CXX_VISIBILITY_PRESET hidden VISIBILITY_INLINES_HIDDEN ON
    LINK_DEPENDS ${CMAKE_SOURCE_DIR}/contrib/cmake/module.map)
  if(CMAKE_CXX_COMPILER_ID STREQUAL GNU)
    target_compile_options(${arg_TARGET} PRIVATE -fno-gnu-unique)
  endif()
  target_link_options(${arg_TARGET} PRIVATE -Wl,--version-script=${CMAKE_SOURCE_DIR}/contrib/cmake/module.map)
  if(NOT STROWGER_SANITIZE)
    target_link_options(${arg_TARGET} PRIVATE -Wl,-z,defs)
  endif()
  target_link_libraries(${arg_TARGET} PRIVATE strowger_core ${arg_LIBRARIES})
endfunction()
