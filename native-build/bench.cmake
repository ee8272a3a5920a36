# kernel_bench: checks and times the kernels on a GPU. The same program on the CPU shows that it
# works. Beside the library, which it looks for there.
file(GLOB bench_sources CONFIGURE_DEPENDS ${tests}/bench/*_bench.cpp)
list(APPEND bench_sources ${tests}/bench/bench.cpp ${tests}/bench/benches.cpp ${tests}/bench/main.cpp)

find_package(Threads REQUIRED)
if(RAIS_HOST)
  add_executable(kernel_bench_host ${bench_sources} ${tests}/bench/device_host.cpp)
  target_link_libraries(kernel_bench_host PRIVATE rais_kernels_host)
  set(bench kernel_bench_host)
  if(BUILD_TESTING)
    add_test(NAME kernel_bench COMMAND kernel_bench_host)
    add_executable(bench_reference_test
      ${tests}/bench_reference_test.cpp ${tests}/bench/bench.cpp ${tests}/bench/device_host.cpp)
    target_include_directories(bench_reference_test PRIVATE ${kernels})
    target_compile_options(bench_reference_test PRIVATE ${warnings})
    target_link_libraries(bench_reference_test PRIVATE rais_host_objects Threads::Threads)
    add_test(NAME bench_reference COMMAND bench_reference_test)
  endif()
else()
  find_package(CUDAToolkit REQUIRED)
  add_executable(kernel_bench ${bench_sources} ${tests}/bench/device_cuda.cpp)
  target_link_libraries(kernel_bench PRIVATE rais_kernels CUDA::cudart_static)
  set(bench kernel_bench)
endif()
target_include_directories(${bench} PRIVATE ${kernels})
target_link_libraries(${bench} PRIVATE Threads::Threads)
target_compile_options(${bench} PRIVATE ${warnings} -ffp-contract=off)
target_link_options(${bench} PRIVATE -static-libstdc++ -static-libgcc)
set_target_properties(${bench} PROPERTIES
  RUNTIME_OUTPUT_DIRECTORY "${CMAKE_BINARY_DIR}/.."
  BUILD_WITH_INSTALL_RPATH ON
  INSTALL_RPATH "$ORIGIN")
