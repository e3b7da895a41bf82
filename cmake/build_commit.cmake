# cmake -DSOURCE=... -DOUT=... [-DGIT=...] -P build_commit.cmake: writes OUT, the source file that names the commit of
# SOURCE. OUT is left alone where nothing changed, so that nothing is compiled again.
cmake_minimum_required(VERSION 3.25)

# git's environment in a hook is of another command; a tree that another user owns may be asked its name.
foreach(variable GIT_DIR GIT_WORK_TREE GIT_INDEX_FILE)
  unset(ENV{${variable}})
endforeach()
set(git ${GIT} --no-optional-locks -c safe.directory=* -C ${SOURCE})
set(commit "")
if(GIT)
  execute_process(COMMAND ${git} rev-parse --show-prefix OUTPUT_VARIABLE prefix RESULT_VARIABLE failed
                  OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET)
  # With a prefix, the sources lie inside another repository, whose commit says nothing of them.
  if(NOT failed AND prefix STREQUAL "")
    execute_process(COMMAND ${git} describe --always --dirty --abbrev=12 OUTPUT_VARIABLE commit
                    OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET)
  endif()
endif()
if(NOT commit MATCHES "^[A-Za-z0-9._/+-]+$")
  set(commit unknown)
endif()
file(CONFIGURE OUTPUT ${OUT} @ONLY CONTENT [[
// Written by cmake/build_commit.cmake.
#include "train/manifest.h"

namespace shiftadd::train {
const char* build_commit() { return "@commit@"; }
}  // namespace shiftadd::train
]])
