# The CUDA half, without a toolkit: the room cuda/ that programs link, which opens a plug-in at run time, and the host
# executor that runs the kernels on the CPU for the tests. The plug-in itself is built where nvcc is: cuda/plugin/.
set(SHIFTADD_CUDA AUTO CACHE STRING "Build the CUDA plug-in: AUTO (where nvcc is found), ON or OFF")
set_property(CACHE SHIFTADD_CUDA PROPERTY STRINGS AUTO ON OFF)

# What runs kernels is kept from what asks for them: only the plug-in and the tests link them.
set(executor_sources ${PROJECT_SOURCE_DIR}/cuda/host_device.cpp ${PROJECT_SOURCE_DIR}/cuda/host_machine.cpp
    ${PROJECT_SOURCE_DIR}/cuda/kernel_list.cpp)
file(GLOB cuda_sources CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/cuda/*.cpp)
list(REMOVE_ITEM cuda_sources ${executor_sources})
add_library(shiftadd_cuda STATIC ${cuda_sources})
target_include_directories(shiftadd_cuda PUBLIC ${PROJECT_SOURCE_DIR})
target_link_libraries(shiftadd_cuda PUBLIC shiftadd_model shiftadd_core PRIVATE ${CMAKE_DL_LIBS})

file(GLOB cuda_kernels CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/cuda/*.cu)
set_source_files_properties(${cuda_kernels} PROPERTIES LANGUAGE CXX)
file(GLOB simt_sources CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/cuda/simt/*.cpp)
list(FILTER simt_sources EXCLUDE REGEX "/checker[^/]*\\.cpp$")
add_library(shiftadd_cuda_host STATIC ${executor_sources} ${cuda_kernels} ${simt_sources})
target_link_libraries(shiftadd_cuda_host PUBLIC shiftadd_cuda)
target_compile_options(shiftadd_cuda_host PUBLIC -Wno-unknown-pragmas)  # `#pragma unroll` is nvcc's
set_target_properties(shiftadd_cuda shiftadd_cuda_host PROPERTIES POSITION_INDEPENDENT_CODE ON
                      CXX_VISIBILITY_PRESET hidden VISIBILITY_INLINES_HIDDEN ON)

# Where no plug-in is built, says why: a program without one computes on the CPU.
set(SHIFTADD_PLUGIN OFF)
if(NOT SHIFTADD_CUDA)
  message(STATUS "CUDA plug-in: not built (SHIFTADD_CUDA=${SHIFTADD_CUDA})")
elseif(SHIFTADD_SANITIZE)
  message(STATUS "CUDA plug-in: not built with sanitizers")
else()
  include(CheckLanguage)
  check_language(CUDA)
  if(CMAKE_CUDA_COMPILER)
    set(SHIFTADD_PLUGIN ON)
  elseif(SHIFTADD_CUDA STREQUAL "AUTO")
    message(STATUS "CUDA plug-in: NOT BUILT: no nvcc found (put it on the PATH, or name it in CUDACXX)")
  else()
    message(FATAL_ERROR "SHIFTADD_CUDA=${SHIFTADD_CUDA} needs nvcc: put it on the PATH, name it in CUDACXX, or say OFF")
  endif()
endif()
# For nvcc, wherever it compiles the kernels: as elsewhere a product and a sum are one rounding where the source says fma;
# kernels call the constexpr functions of the host; core/ has pragmas for the host's compiler (1675).
set(nvcc_options -fmad=false --expt-relaxed-constexpr --diag-suppress=1675)
if(SHIFTADD_PLUGIN)
  add_subdirectory(${PROJECT_SOURCE_DIR}/cuda/plugin)
endif()
