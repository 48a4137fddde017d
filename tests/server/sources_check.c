/* The port's table of sources against plain counters, many entries in few places. */
#include <arpa/inet.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct PyObject PyObject;
#define PyObject_CallFunction(...) NULL
#define PyObject_IsTrue(x) 0
#define Py_DECREF(x)
#define PyErr_Clear()
#define PyErr_NoMemory()
#define call_error_logger()
#include "pihub_sources.h"

enum { NAMES = 48, MOST = 3, TURNS = 400000 };

int main(void) {
  char name[NAMES][40];
  int held[NAMES] = {0};
  source_most = MOST;
  if (sources_begin(32) < 0) {
    return 2;
  }
  for (int i = 0; i < NAMES; i++) {
    snprintf(name[i], sizeof(name[i]), i % 2 ? "10.0.%d.%d" : "2001:db8:%x:%x::1", i, i * 5);
  }
  srand(5);
  for (int turn = 0; turn < TURNS; turn++) {
    int i = rand() % NAMES;
    if (rand() % 2) {
      int entered = source_enter(name[i]);
      if (entered != (held[i] < MOST)) {
        printf("turn %d: %s has %d, entered %d\n", turn, name[i], held[i], entered);
        return 1;
      }
      held[i] += entered;
    } else if (held[i]) {
      source_leave(name[i]);
      held[i]--;
    }
    if (turn % 100 == 0) {
      int places = 0, wanted = 0;
      for (uint32_t at = 0; at <= sources_mask; at++) {
        places += sources[at].key != 0;
      }
      for (int k = 0; k < NAMES; k++) {
        wanted += held[k] > 0;
      }
      if (places != wanted) {
        printf("turn %d: %d places for %d sources\n", turn, places, wanted);
        return 1;
      }
    }
  }
  puts("fine");
  return 0;
}
