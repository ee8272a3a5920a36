/* Records what a GPU does by way of CUPTI's activity records: for gpu-check, which needs to know how
 * much of the time the device is busy, and with what. CUPTI is loaded by name at run time, so that
 * this compiles without CUDA; of its records only kind, times and names are read, whose places are
 * below, the same in CUDA 12 and 13. With -DRAIS_WITH_CUPTI_HEADERS they are compared with them.
 *
 * Compile with: cc -O2 -shared -fPIC -o libdevice_trace.so device_trace.c -ldl -lpthread
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <inttypes.h>
#include <pthread.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MEMCPY = 1, MEMSET = 2, KERNEL = 10, GRAPH = 51 }; /* CUpti_ActivityKind */
enum { START = 16, END = 24, NAME = 104, GRAPH_START = 8, GRAPH_END = 16 };
enum { SUCCESS = 0, MAX_LIMIT_REACHED = 12 };

#ifdef RAIS_WITH_CUPTI_HEADERS
#include <cupti.h>
#define SAME(type, field, place) \
  _Static_assert(offsetof(type, field) == (place), "CUPTI has it elsewhere")
SAME(CUpti_ActivityKernel9, start, START);
SAME(CUpti_ActivityKernel9, end, END);
SAME(CUpti_ActivityKernel9, name, NAME);
SAME(CUpti_ActivityMemcpy5, start, START);
SAME(CUpti_ActivityMemcpy5, end, END);
SAME(CUpti_ActivityMemset4, start, START);
SAME(CUpti_ActivityMemset4, end, END);
SAME(CUpti_ActivityGraphTrace, start, GRAPH_START);
SAME(CUpti_ActivityGraphTrace, end, GRAPH_END);
_Static_assert((int)CUPTI_ACTIVITY_KIND_MEMCPY == MEMCPY, "kind");
_Static_assert((int)CUPTI_ACTIVITY_KIND_MEMSET == MEMSET, "kind");
_Static_assert((int)CUPTI_ACTIVITY_KIND_CONCURRENT_KERNEL == KERNEL, "kind");
_Static_assert((int)CUPTI_ACTIVITY_KIND_GRAPH_TRACE == GRAPH, "kind");
_Static_assert((int)CUPTI_ERROR_MAX_LIMIT_REACHED == MAX_LIMIT_REACHED, "status");
#endif

typedef void (*Requested)(uint8_t** buffer, size_t* size, size_t* most);
typedef void (*Completed)(void* context, uint32_t stream, uint8_t* buffer, size_t size,
                          size_t valid);

static struct {
  int (*registerCallbacks)(Requested, Completed);
  int (*enable)(int kind);
  int (*disable)(int kind);
  int (*flush)(uint32_t flag);
  int (*next)(uint8_t* buffer, size_t valid, void** record);
  int (*droppedRecords)(void* context, uint32_t stream, size_t* dropped);
  int (*timestamp)(uint64_t* time);
  int (*text)(int status, const char** text);
} cupti;

typedef struct {
  uint64_t start, end;
  char* name;
} Item;

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER; /* CUPTI calls from threads of its own */
static Item* items;
static size_t count, capacity, dropped, untimed;
static int outOfMemory;
static int kinds[4];
static char message[1024];

const char* rais_trace_error(void) { return message; }

static int failed(const char* what, int status) {
  const char* text = "no text";
  if (cupti.text != NULL) {
    cupti.text(status, &text);
  }
  snprintf(message, sizeof message, "%s: CUPTI's status %d, %s", what, status, text);
  return 1;
}

static void requested(uint8_t** buffer, size_t* size, size_t* most) {
  *size = 4 << 20;
  *most = 0;
  *buffer = aligned_alloc(8, *size);
  if (*buffer == NULL) {
    *size = 0;
  }
}

static uint64_t number(const char* record, size_t place) {
  uint64_t value;
  memcpy(&value, record + place, sizeof value);
  return value;
}

static void keep(const char* record) {
  uint32_t kind;
  memcpy(&kind, record, sizeof kind);
  Item item = {0, 0, NULL};
  const char* name = NULL;
  if (kind == GRAPH) {
    item.start = number(record, GRAPH_START);
    item.end = number(record, GRAPH_END);
    name = "graph";
  } else if (kind == KERNEL || kind == MEMCPY || kind == MEMSET) {
    item.start = number(record, START);
    item.end = number(record, END);
    if (kind == KERNEL) {
      memcpy(&name, record + NAME, sizeof name);
    }
    name = kind == MEMCPY ? "copy" : kind == MEMSET ? "fill" : name != NULL ? name : "kernel";
  } else {
    return;
  }
  if (item.start == 0 || item.end < item.start) {
    untimed++; /* CUPTI could not tell when, or it has not ended */
    return;
  }
  if (count == capacity) {
    size_t larger = capacity == 0 ? 1 << 16 : 2 * capacity;
    Item* moved = realloc(items, larger * sizeof *items);
    if (moved == NULL) {
      outOfMemory = 1;
      return;
    }
    items = moved;
    capacity = larger;
  }
  item.name = strdup(name);
  items[count++] = item;
}

static void completed(void* context, uint32_t stream, uint8_t* buffer, size_t size, size_t valid) {
  (void)size;
  pthread_mutex_lock(&lock);
  void* record = NULL;
  while (valid > 0 && cupti.next(buffer, valid, &record) == SUCCESS) {
    keep(record);
  }
  size_t lost = 0;
  if (cupti.droppedRecords(context, stream, &lost) == SUCCESS) {
    dropped += lost;
  }
  pthread_mutex_unlock(&lock);
  free(buffer);
}

static void* function(void* library, const char* name) {
  void* found = dlsym(library, name);
  if (found == NULL) {
    snprintf(message, sizeof message, "CUPTI has no %s", name);
  }
  return found;
}

static int load(const char* file) {
  void* library = dlopen(file, RTLD_NOW | RTLD_GLOBAL);
  if (library == NULL) {
    snprintf(message, sizeof message, "CUPTI does not load: %s", dlerror());
    return 1;
  }
  struct {
    const char* name;
    void* place;
  } wanted[] = {{"cuptiActivityRegisterCallbacks", &cupti.registerCallbacks},
                {"cuptiActivityEnable", &cupti.enable},
                {"cuptiActivityDisable", &cupti.disable},
                {"cuptiActivityFlushAll", &cupti.flush},
                {"cuptiActivityGetNextRecord", &cupti.next},
                {"cuptiActivityGetNumDroppedRecords", &cupti.droppedRecords},
                {"cuptiGetTimestamp", &cupti.timestamp},
                {"cuptiGetResultString", &cupti.text}};
  for (size_t i = 0; i < sizeof wanted / sizeof wanted[0]; i++) {
    void* found = function(library, wanted[i].name);
    if (found == NULL) {
      return 1;
    }
    memcpy(wanted[i].place, &found, sizeof found);
  }
  return 0;
}

/* Begins to record; 0 or, with a text in rais_trace_error, 1. With kernels those of graphs are
 * recorded one by one, else a graph is one item. */
int rais_trace_begin(const char* file, int kernels) {
  if (load(file) != 0) {
    return 1;
  }
  int status = cupti.registerCallbacks(requested, completed);
  if (status != SUCCESS) {
    return failed("registering", status);
  }
  int wanted[] = {KERNEL, MEMCPY, MEMSET, kernels ? 0 : GRAPH};
  for (int i = 0; i < 4; i++) {
    if (wanted[i] != 0 && (status = cupti.enable(wanted[i])) != SUCCESS) {
      return failed("recording", status);
    }
    kinds[i] = wanted[i];
  }
  return 0;
}

/* Now, in nanoseconds of the clock that records have. */
int64_t rais_trace_now(void) {
  uint64_t time = 0;
  cupti.timestamp(&time);
  return (int64_t)time;
}

/* Ends recording and writes what overlaps a time: a line "from to lost untimed", then "start end
 * name" for every item; 0 or, with a text, 1. */
int rais_trace_end(const char* file, int64_t from, int64_t to) {
  int status = cupti.flush(1); /* what is not complete too */
  if (status != SUCCESS) {
    return failed("flushing", status);
  }
  for (int i = 0; i < 4; i++) {
    if (kinds[i] != 0) {
      cupti.disable(kinds[i]);
    }
  }
  FILE* out = fopen(file, "w");
  if (out == NULL) {
    snprintf(message, sizeof message, "%s cannot be written", file);
    return 1;
  }
  pthread_mutex_lock(&lock);
  fprintf(out, "%" PRId64 " %" PRId64 " %zu %zu\n", from, to, dropped, untimed);
  for (size_t i = 0; i < count; i++) {
    if ((int64_t)items[i].end >= from && (int64_t)items[i].start <= to) {
      fprintf(out, "%" PRIu64 " %" PRIu64 " %s\n", items[i].start, items[i].end,
              items[i].name == NULL ? "?" : items[i].name);
    }
    free(items[i].name);
  }
  free(items);
  items = NULL;
  count = capacity = 0;
  int bad = outOfMemory;
  pthread_mutex_unlock(&lock);
  if (fclose(out) != 0 || bad) {
    snprintf(message, sizeof message, bad ? "no memory for the records" : "%s cannot be written",
             file);
    return 1;
  }
  return 0;
}
