# The kernels on the CPU: the same sources as C++, with kernels/host in CUDA's place.
find_package(Threads REQUIRED)

# As on a device, nothing is contracted that is exact there, a misaligned access ends the kernel (see
# cuda_on_host.cpp), and memory may be read in units of another type than it was written in.
set(device_like
  -Wno-unknown-pragmas -ffp-contract=off -fsanitize=alignment -fno-strict-aliasing)
set(kernel_options -xc++ ${device_like})
set_source_files_properties(${sources} ${exact_sources} PROPERTIES
  LANGUAGE CXX COMPILE_OPTIONS "${kernel_options}")

add_library(rais_host_objects OBJECT
  ${sources} ${exact_sources}
  ${kernels}/host/cuda_on_host.cpp
  ${kernels}/host/fault.cpp)
target_include_directories(rais_host_objects PUBLIC ${kernels})
target_compile_options(rais_host_objects PRIVATE ${warnings})
target_link_libraries(rais_host_objects PUBLIC Threads::Threads)

add_library(rais_kernels_host SHARED)
target_link_libraries(rais_kernels_host PRIVATE rais_host_objects)
target_link_options(rais_kernels_host PRIVATE
  -static-libstdc++ -static-libgcc
  "-Wl,--version-script=${CMAKE_CURRENT_SOURCE_DIR}/exports.map" -Wl,-z,defs)
set_target_properties(rais_kernels_host PROPERTIES
  LIBRARY_OUTPUT_DIRECTORY "${CMAKE_BINARY_DIR}/..")

if(BUILD_TESTING)
  enable_language(C)
  # The header is C, and every function can be called from C.
  add_library(rais_header_is_c OBJECT ${tests}/header_is_c.c)
  target_include_directories(rais_header_is_c PRIVATE ${kernels})
  target_compile_options(rais_header_is_c PRIVATE -std=c99 -pedantic ${warnings})

  # A test is one program: tests/kernels/NAME_test.cpp.
  foreach(name
      batch_norm
      bias_relu
      cuda_on_host
      divide
      dropout
      elementwise
      evaluation
      fetch_images
      gain
      gather_augment
      global_average_pool
      gradient_norms
      max_pool
      minibatch
      philox_feistel
      row_norms
      sampler
      sgd
      softmax_xent
      state
      sum_tree)
    add_library(${name}_test_objects OBJECT ${tests}/${name}_test.cpp)
    target_include_directories(${name}_test_objects PRIVATE ${kernels})
    target_compile_options(${name}_test_objects PRIVATE ${warnings} ${device_like})
    add_executable(${name}_test $<TARGET_OBJECTS:${name}_test_objects>)
    target_link_libraries(${name}_test PRIVATE rais_host_objects)
    add_test(NAME ${name} COMMAND ${name}_test)
  endforeach()

  # The same machine with the portable way to switch between fibres.
  add_executable(cuda_on_host_portable_test
    ${tests}/cuda_on_host_test.cpp ${kernels}/host/cuda_on_host.cpp ${kernels}/host/fault.cpp)
  target_include_directories(cuda_on_host_portable_test PRIVATE ${kernels})
  target_compile_definitions(cuda_on_host_portable_test PRIVATE CUDA_ON_HOST_UCONTEXT)
  target_compile_options(cuda_on_host_portable_test PRIVATE ${device_like})
  target_link_libraries(cuda_on_host_portable_test PRIVATE Threads::Threads)
  add_test(NAME cuda_on_host_portable COMMAND cuda_on_host_portable_test)

  add_test(NAME symbols
    COMMAND ${CMAKE_CURRENT_SOURCE_DIR}/check-symbols $<TARGET_FILE:rais_kernels_host> ${symbols}
            ${kernels}/host/symbols.txt)

  include(mutants.cmake)
endif()
