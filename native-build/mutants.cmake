# Broken kernels, to show that the tests notice. Every mutant of tests/kernels/mutations/ becomes a
# copy of kernels/ with one change, and a program of its test that must fail. Built by the targets
# "mutants" and "mutants_quick" only; check-mutants runs them.
file(GLOB lists CONFIGURE_DEPENDS ${tests}/mutations/*.mutants)
file(GLOB originals CONFIGURE_DEPENDS ${kernels}/*.h ${kernels}/*.cuh ${kernels}/*.cu)
set(mutate ${CMAKE_CURRENT_SOURCE_DIR}/mutate)
set(mutants_folder ${CMAKE_BINARY_DIR}/mutants)

function(add_mutant list name compile test quick)
  get_filename_component(group ${list} NAME_WE)
  set(copy ${mutants_folder}/${group}/${name})
  list(TRANSFORM originals REPLACE "^.*/" "${copy}/" OUTPUT_VARIABLE copies)
  add_custom_command(
    OUTPUT ${copies}
    COMMAND ${mutate} ${list} ${name} ${kernels} ${copy}
    DEPENDS ${list} ${mutate} ${originals}
    COMMENT "Breaking ${group}/${name}"
    VERBATIM)

  set(sources "")
  # What is not compiled anew comes from the library and the test as they are.
  set(objects $<TARGET_OBJECTS:rais_host_objects>)
  set(test_objects $<TARGET_OBJECTS:${test}_test_objects>)
  separate_arguments(compile UNIX_COMMAND "${compile}")
  foreach(source ${compile})
    if(source STREQUAL "${test}_test.cpp")
      list(APPEND sources ${tests}/${source})
      set(test_objects "")
    else()
      list(APPEND sources ${copy}/${source})
      set_source_files_properties(${copy}/${source} PROPERTIES
        LANGUAGE CXX COMPILE_OPTIONS "${kernel_options}")
      set(objects "$<FILTER:${objects},EXCLUDE,/${source}[.]o>")
    endif()
  endforeach()

  set(program mutant_${group}_${name})
  add_executable(${program} EXCLUDE_FROM_ALL ${sources} ${copies} ${objects} ${test_objects})
  target_include_directories(${program} PRIVATE ${copy} ${kernels})
  target_compile_options(${program} PRIVATE ${mutant_options})
  target_precompile_headers(${program} REUSE_FROM mutant_header)
  target_link_libraries(${program} PRIVATE Threads::Threads)
  set_target_properties(${program} PROPERTIES
    OUTPUT_NAME program RUNTIME_OUTPUT_DIRECTORY ${copy} POSITION_INDEPENDENT_CODE OFF)
  add_dependencies(mutants ${program})
  if(quick)
    add_dependencies(mutants_quick ${program})
  endif()
endfunction()

# Most run too shortly to gain by -O2. A mutation may leave a variable unused.
set(mutant_options ${device_like} -O1 -g0 -w)
# Half of the time would go to this header.
add_library(mutant_header OBJECT EXCLUDE_FROM_ALL ${kernels}/host/fault.cpp)
target_compile_options(mutant_header PRIVATE ${mutant_options})
target_precompile_headers(mutant_header PRIVATE ${kernels}/host/cuda_on_host.h)
set_target_properties(mutant_header PROPERTIES POSITION_INDEPENDENT_CODE OFF)  # as the programs

add_custom_target(mutants)
add_custom_target(mutants_quick)
set(index "")
set(without ${sources} ${exact_sources})
foreach(list ${lists})
  set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${list})
  get_filename_component(group ${list} NAME_WE)
  set(quick TRUE TRUE TRUE)  # the first three
  file(STRINGS ${list} lines REGEX "^(file|compile|test|mutant) ")
  foreach(line ${lines})
    string(REGEX MATCH "^([a-z]+) (.*)$" line "${line}")
    set(key ${CMAKE_MATCH_1})
    set(${key} "${CMAKE_MATCH_2}")
    if(key STREQUAL "file")
      set(compile "${file}")
      list(REMOVE_ITEM without ${kernels}/${file})
    elseif(key STREQUAL "mutant")
      if(NOT TARGET ${test}_test)
        message(FATAL_ERROR "${list}: mutant ${mutant}: there is no test \"${test}\"")
      endif()
      list(POP_FRONT quick is_quick)
      add_mutant(${list} ${mutant} "${compile}" ${test} "${is_quick}")
      string(APPEND index "${group}/${mutant} ${test}_test ${is_quick}\n")
    endif()
  endforeach()
endforeach()
file(WRITE ${mutants_folder}/index "${index}")
file(WRITE ${mutants_folder}/without "${without}")
