// `stderr` for the static libraries inside libshiftadd.so. Debian compiles libjpeg.a and libpng16.a for programs,
// not for shared libraries: they read the C library's `stderr` at a distance that must be known when linking. With
// -Wl,--wrap=stderr they read the variable below, which lies in this library.
#include <cstdio>

#undef stderr
extern "C" {
extern FILE* __real_stderr;
FILE* __wrap_stderr = __real_stderr;
}
