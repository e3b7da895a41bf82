/* Classifies images with a model file: classify MODEL IMAGE... */
#include <shiftadd.h>
#include <stdio.h>

int main(int argc, char **argv) {
  shiftadd_session *session = argc > 2 ? shiftadd_open(argv[1]) : NULL;
  if (!session) {
    fprintf(stderr, "usage: classify MODEL IMAGE...  %s\n", shiftadd_error());
    return 2;
  }
  int status = 0;
  for (int i = 2; i < argc; ++i) {
    shiftadd_prediction best[3];
    const int count = shiftadd_classify(session, argv[i], best, 3);
    if (count < 0) fprintf(stderr, "%s\n", shiftadd_error()), status = 2;
    for (int k = 0; k < count; ++k)
      printf("%s\t%s\t%.4f\n", argv[i], best[k].name ? best[k].name : "", best[k].probability);
  }
  shiftadd_close(session);
  return status;
}
