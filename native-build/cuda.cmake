# The kernels for CUDA devices. cudart is linked in, so that the library needs nothing but a driver.
include(CheckLanguage)
check_language(CUDA)
if(NOT CMAKE_CUDA_COMPILER)
  message(FATAL_ERROR "nvcc was not found; install the CUDA toolkit 12 or 13, or set CUDACXX to nvcc")
endif()

if(RAIS_ARCHITECTURES)
  set(CMAKE_CUDA_ARCHITECTURES "${RAIS_ARCHITECTURES}")
else()
  # Machine code for each generation since Ampere, and PTX for those to come.
  set(CMAKE_CUDA_ARCHITECTURES 80-real 86-real 89-real 90-real)
endif()
enable_language(CUDA)
if(CMAKE_CUDA_COMPILER_VERSION VERSION_LESS 12)
  message(FATAL_ERROR "nvcc is ${CMAKE_CUDA_COMPILER_VERSION}; CUDA 12 or 13 is needed")
endif()
if(NOT RAIS_ARCHITECTURES)
  if(CMAKE_CUDA_COMPILER_VERSION VERSION_LESS 12.8)
    list(APPEND CMAKE_CUDA_ARCHITECTURES 90-virtual)
  else()
    list(APPEND CMAKE_CUDA_ARCHITECTURES 100-real 120)
  endif()
endif()

set(CMAKE_CUDA_STANDARD 17)
set(CMAKE_CUDA_STANDARD_REQUIRED ON)
set(CMAKE_CUDA_VISIBILITY_PRESET hidden)
set(CMAKE_CUDA_RUNTIME_LIBRARY Static)
set(exact_options -fmad=false -Xcompiler=-ffp-contract=off)
set_source_files_properties(${exact_sources} PROPERTIES COMPILE_OPTIONS "${exact_options}")
string(REPLACE ";" " " architectures "${CMAKE_CUDA_ARCHITECTURES}")

add_library(rais_kernels SHARED ${sources} ${exact_sources})
target_include_directories(rais_kernels PRIVATE ${kernels})
target_compile_definitions(rais_kernels PRIVATE RAIS_ARCHITECTURES="${architectures}")
# Line numbers for profilers and for reports of illegal accesses cost nothing at run time.
list(JOIN warnings "," host_warnings)
target_compile_options(rais_kernels PRIVATE
  -lineinfo -Xcompiler=${host_warnings} $<$<CONFIG:Debug>:-G>)
target_link_options(rais_kernels PRIVATE
  -static-libstdc++ -static-libgcc
  "-Wl,--version-script=${CMAKE_CURRENT_SOURCE_DIR}/exports.map" -Wl,-z,defs)
set_target_properties(rais_kernels PROPERTIES
  CUDA_SEPARABLE_COMPILATION OFF
  LIBRARY_OUTPUT_DIRECTORY "${CMAKE_BINARY_DIR}/..")

if(BUILD_TESTING)
  add_test(NAME symbols
    COMMAND ${CMAKE_CURRENT_SOURCE_DIR}/check-symbols $<TARGET_FILE:rais_kernels> ${symbols})

  # PTX by the flags of the library, to see that what must not be contracted is not, and, so that
  # the check cannot pass for want of anything to find, that the rest is. Only made for the test.
  add_library(rais_exact_ptx OBJECT EXCLUDE_FROM_ALL ${exact_sources})
  add_library(rais_contracted_ptx OBJECT EXCLUDE_FROM_ALL ${kernels}/sgd.cu)
  foreach(target rais_exact_ptx rais_contracted_ptx)
    target_include_directories(${target} PRIVATE ${kernels})
    set_target_properties(${target} PROPERTIES
      CUDA_PTX_COMPILATION ON CUDA_ARCHITECTURES 90-virtual POSITION_INDEPENDENT_CODE OFF)
  endforeach()
  add_test(NAME build_ptx
    COMMAND ${CMAKE_COMMAND} --build ${CMAKE_BINARY_DIR} --target rais_exact_ptx rais_contracted_ptx)
  set_tests_properties(build_ptx PROPERTIES FIXTURES_SETUP ptx)
  add_test(NAME no_contraction
    COMMAND ${CMAKE_CURRENT_SOURCE_DIR}/check-ptx "$<TARGET_OBJECTS:rais_exact_ptx>"
            "$<TARGET_OBJECTS:rais_contracted_ptx>")
  set_tests_properties(no_contraction PROPERTIES FIXTURES_REQUIRED ptx)
endif()
