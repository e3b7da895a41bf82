# shiftadd_ptx(FOLDER SOURCES...): the PTX that nvcc makes of .cu files, one FOLDER/NAME.ptx each, with the options of the
# plug-in; the target shiftadd_ptx makes all. For sm_90, below which the kernels leave out griddepcontrol.
function(shiftadd_ptx folder)
  foreach(source ${ARGN})
    get_filename_component(name ${source} NAME_WE)
    set(made ${folder}/${name}.ptx)
    add_custom_command(OUTPUT ${made} DEPENDS ${source} DEPFILE ${made}.d VERBATIM
                       COMMAND ${CMAKE_CUDA_COMPILER} -ptx -arch=compute_90 -std=c++20 ${nvcc_options}
                               -I${PROJECT_SOURCE_DIR} -MD -MF ${made}.d -o ${made} ${source})
    list(APPEND all ${made})
  endforeach()
  file(MAKE_DIRECTORY ${folder})
  add_custom_target(shiftadd_ptx DEPENDS ${all})
endfunction()
