# What each kernel takes of each architecture, held against cuda/kernel_budget.txt: `cmake --build ... --target
# cuda_budget` fails where a kernel takes more, and `--target cuda_budget_rewrite` writes what they take now.
set_target_properties(shiftadd_cuda_plugin PROPERTIES
                      CUDA_COMPILER_LAUNCHER "sh;${PROJECT_SOURCE_DIR}/cuda/budget/keep_resources.sh")
add_executable(kernel_budget EXCLUDE_FROM_ALL ${PROJECT_SOURCE_DIR}/cuda/budget/kernel_budget.cpp)
target_include_directories(kernel_budget SYSTEM PRIVATE ${CMAKE_CUDA_TOOLKIT_INCLUDE_DIRECTORIES})
set(budget ${PROJECT_SOURCE_DIR}/cuda/kernel_budget.txt "$<TARGET_OBJECTS:shiftadd_cuda_plugin>")
add_custom_target(cuda_budget COMMAND kernel_budget ${budget} COMMAND_EXPAND_LISTS VERBATIM)
add_custom_target(cuda_budget_rewrite COMMAND kernel_budget --rewrite ${budget} COMMAND_EXPAND_LISTS VERBATIM)
add_dependencies(cuda_budget shiftadd_cuda_plugin)
add_dependencies(cuda_budget_rewrite shiftadd_cuda_plugin)
