# find_package(shiftadd) after an installation: the target shiftadd::shiftadd, the C interface.
include(${CMAKE_CURRENT_LIST_DIR}/shiftadd-targets.cmake)
