/* Between what stops the process (`snapshot.c`) and what looks at it (`process.c`). */
#include "snapshot.h"

static struct area *const area = (struct area *)AREA;

struct writer {
    u64 output, pagemap, descriptors; /* what is written to, and read from */
    u64 written;
    char *next_text;
    char refusal[400]; /* why there can be no snapshot; empty if there can */
};
extern struct writer writer __attribute__((visibility("hidden")));

/* All return 0, or something else and a refusal. */
#define INTERNAL __attribute__((visibility("hidden")))
INTERNAL i64 refuse(const char *first, const char *name, const char *last);
INTERNAL i64 put_out(u64 from, u64 bytes);
INTERNAL i64 store_process(void);
