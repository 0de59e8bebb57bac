/* What of a snapshot cannot be done in Python: a process writes its memory out, and takes on memory
 * that another fork of the same interpreter wrote.
 *
 * Decides nothing: Python says which regions are stored and which system calls restore them. For that
 * it needs no C library, so that none of what it replaces is in use: from `perform` on, code runs that lies
 * in a read-only mapping of this file, on a stack outside of everything that is replaced.
 *
 * Made into a library by `scripts/build_snapshot_library.py`. The few declarations of Python's are those of its stable ABI.
 */

typedef unsigned long u64;
typedef long i64;

struct step {
    u64 number; /* of the system call, or one of the orders below */
    u64 arguments[6];
    u64 expected; /* result, or ANY that is no error */
};

/* Orders to `store`: (address, bytes, protection). */
enum { STORE = 1 << 20, STORE_SPARSE, STORE_STACK };
enum { READ = 0, WRITE = 1, MMAP = 9, MPROTECT = 10, PREAD = 17, GETTID = 186, EXIT_GROUP = 231,
       OPENAT = 257 };
enum { PAGE = 4096, PROTECTION_READ = 1, PRIVATE_FIXED = 0x12, ANONYMOUS = 0x20, NORESERVE = 0x4000 };
#define ANY (~0UL)
/* In the place of a descriptor: the file opened last. */
#define OPENED (~1UL)
#define PRESENT_OR_SWAPPED (3UL << 62)
/* Fewer unused pages than this between two used ones are stored as well: a mapping costs more. */
#define GAP_PAGES 16
#define FAILED 70

/* The first page of the area, which every image ends with; see `snapshot.py`. */
struct area {
    u64 thread_pointer;
    u64 stack_pointer; /* read by the assembler below */
    u64 tid_address;
    u64 steps_at; /* offset in the area */
    u64 steps;
    u64 steps_max;
    u64 image; /* descriptor that restored mappings are of */
    u64 output; /* descriptor that is written to */
    u64 pagemap;
    u64 work; /* address and size of a buffer that is not stored */
    u64 work_bytes;
    u64 written;
};

/* Follows the area in an image. */
struct tail {
    u64 area_at, area_bytes;
};

static inline i64 call6(u64 n, u64 a, u64 b, u64 c, u64 d, u64 e, u64 f)
{
    i64 result;
    register u64 r10 __asm__("r10") = d;
    register u64 r8 __asm__("r8") = e;
    register u64 r9 __asm__("r9") = f;
    __asm__ volatile("syscall"
                     : "=a"(result)
                     : "a"(n), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9)
                     : "rcx", "r11", "memory");
    return result;
}

static inline int is_error(i64 result) { return (u64)result > -4096UL; }

static inline u64 thread_pointer(void)
{
    u64 value;
    __asm__("mov %%fs:0x10, %0" : "=r"(value));
    return value;
}

/* ---- restoring ------------------------------------------------------------------------------ */

__attribute__((noreturn)) static void fail(u64 position, i64 result)
{
    char text[] = "lambdad: step 0x0000 of a restore failed with 0x0000\n";
    for (int digit = 0; digit < 4; digit++) {
        text[19 - digit] = "0123456789abcdef"[position >> 4 * digit & 15];
        text[51 - digit] = "0123456789abcdef"[(u64)-result >> 4 * digit & 15];
    }
    call6(WRITE, 2, (u64)text, sizeof text - 1, 0, 0, 0);
    for (;;)
        call6(EXIT_GROUP, FAILED, 0, 0, 0, 0, 0);
}

__attribute__((used)) static void perform(struct area *area)
{
    const struct step *step = (const struct step *)((u64)area + area->steps_at);
    u64 opened = ANY;
    for (u64 position = 0; position < area->steps; position++, step++) {
        const u64 *a = step->arguments;
        i64 result = call6(step->number, a[0] == OPENED ? opened : a[0], a[1], a[2], a[3],
                           a[4] == OPENED ? opened : a[4], a[5]);
        if (is_error(result) || (step->expected != ANY && (u64)result != step->expected))
            fail(position, result);
        if (step->number == OPENAT)
            opened = (u64)result;
    }
    /* The C library remembers it. */
    *(int *)area->tid_address = (int)call6(GETTID, 0, 0, 0, 0, 0, 0);
}

/* ---- storing -------------------------------------------------------------------------------- */

static i64 put_out(struct area *area, u64 from, u64 bytes)
{
    while (bytes) {
        i64 written = call6(WRITE, area->output, from, bytes, 0, 0, 0);
        if (is_error(written))
            return written;
        from += (u64)written;
        bytes -= (u64)written;
        area->written += (u64)written;
    }
    return 0;
}

static i64 add(struct area *area, const struct step *step)
{
    if (area->steps == area->steps_max)
        return -7; /* E2BIG */
    struct step *to = (struct step *)((u64)area + area->steps_at) + area->steps++;
    to->number = step->number;
    for (int i = 0; i < 6; i++)
        to->arguments[i] = step->arguments[i];
    to->expected = step->expected;
    return 0;
}

/* Write a run of pages out, and add what brings it back. */
static i64 store_run(struct area *area, const struct step *order, u64 start, u64 bytes)
{
    u64 protection = order->arguments[2];
    if (!(protection & PROTECTION_READ)) {
        i64 result = call6(MPROTECT, start, bytes, PROTECTION_READ, 0, 0, 0);
        if (is_error(result))
            return result;
    }
    struct step mapped = {
        MMAP, {start, bytes, protection, PRIVATE_FIXED, area->image, area->written}, start};
    struct step copied = {PREAD, {area->image, start, bytes, area->written, 0, 0}, bytes};
    i64 result = add(area, order->number == STORE_STACK ? &copied : &mapped);
    return result ? result : put_out(area, start, bytes);
}

/* Store those pages of a region that are in use, by the kernel's word. */
static i64 store_used(struct area *area, const struct step *order)
{
    u64 start = order->arguments[0], pages = order->arguments[1] / PAGE;
    u64 *entries = (u64 *)area->work;
    u64 most = area->work_bytes / sizeof *entries;
    u64 run = 0, run_pages = 0;
    if (order->number == STORE_SPARSE) {
        struct step base = {MMAP,
                            {start, pages * PAGE, order->arguments[2],
                             PRIVATE_FIXED | ANONYMOUS | NORESERVE, ANY, 0},
                            start};
        i64 result = add(area, &base);
        if (result)
            return result;
    }
    for (u64 page = 0; page < pages; page++) {
        if (page % most == 0) {
            u64 bytes = (pages - page < most ? pages - page : most) * sizeof *entries;
            u64 place = (start / PAGE + page) * sizeof *entries;
            i64 result = call6(PREAD, area->pagemap, (u64)entries, bytes, place, 0, 0);
            if (result != (i64)bytes)
                return is_error(result) ? result : -5; /* EIO */
        }
        if (!(entries[page % most] & PRESENT_OR_SWAPPED))
            continue;
        if (run_pages && page - (run + run_pages) < GAP_PAGES) {
            run_pages = page + 1 - run;
            continue;
        }
        if (run_pages) {
            i64 result = store_run(area, order, start + run * PAGE, run_pages * PAGE);
            if (result)
                return result;
        }
        run = page;
        run_pages = 1;
    }
    return run_pages ? store_run(area, order, start + run * PAGE, run_pages * PAGE) : 0;
}

/* Whether the mappings are still those that Python has made its orders for. */
static i64 unchanged(struct area *area, i64 maps, const char *text, u64 bytes)
{
    char *buffer = (char *)area->work;
    u64 place = 0;
    for (;;) {
        i64 got = call6(READ, (u64)maps, (u64)buffer, area->work_bytes, 0, 0, 0);
        if (is_error(got))
            return got;
        if (got == 0)
            return place == bytes;
        if (place + (u64)got > bytes)
            return 0;
        for (i64 i = 0; i < got; i++)
            if (buffer[i] != text[place + (u64)i])
                return 0;
        place += (u64)got;
    }
}

struct orders {
    const char *maps_text;
    u64 maps_bytes;
    i64 maps;
    const struct step *steps;
    u64 count;
};

__attribute__((used)) static i64 store(struct area *area, const struct orders *orders)
{
    i64 result = unchanged(area, orders->maps, orders->maps_text, orders->maps_bytes);
    if (result <= 0)
        return result ? result : 2;
    const struct step *step = orders->steps;
    for (u64 i = 0; i < orders->count; i++, step++) {
        if (step->number == STORE)
            result = store_run(area, step, step->arguments[0], step->arguments[1]);
        else if (step->number == STORE_SPARSE || step->number == STORE_STACK)
            result = store_used(area, step);
        else
            result = add(area, step);
        if (result)
            return result;
    }
    u64 bytes = area->steps_at + area->steps * sizeof *step;
    struct tail tail = {area->written, (bytes + PAGE - 1) / PAGE * PAGE};
    result = put_out(area, (u64)area, tail.area_bytes);
    return result ? result : put_out(area, (u64)&tail, sizeof tail);
}

/* i64 capture(struct area *, const struct orders *): as `store`; 1 in a process that took it on.
 * void resume(struct area *, stack): take on what the area describes. */
__asm__(".text\n"
        ".type capture, @function\n"
        "capture:\n"
        "  push %rbx\n  push %rbp\n  push %r12\n  push %r13\n  push %r14\n  push %r15\n"
        "  sub $24, %rsp\n"
        "  stmxcsr (%rsp)\n  fnstcw 4(%rsp)\n"
        "  mov %rsp, 8(%rdi)\n"
        "  call store\n"
        "1:\n"
        "  ldmxcsr (%rsp)\n  fldcw 4(%rsp)\n"
        "  add $24, %rsp\n"
        "  pop %r15\n  pop %r14\n  pop %r13\n  pop %r12\n  pop %rbp\n  pop %rbx\n"
        "  ret\n"
        ".type resume, @function\n"
        "resume:\n"
        "  mov %rdi, %rbx\n"
        "  mov %rsi, %rsp\n"
        "  call perform\n"
        "  mov 8(%rbx), %rsp\n"
        "  mov $1, %eax\n"
        "  jmp 1b\n");
i64 capture(struct area *, const struct orders *) __attribute__((visibility("hidden")));
void resume(struct area *, u64 stack) __attribute__((visibility("hidden"), noreturn));

/* ---- the module ----------------------------------------------------------------------------- */

typedef struct _object PyObject;
struct method {
    const char *name;
    PyObject *(*function)(PyObject *, PyObject *);
    int flags;
    const char *text;
};
struct definition {
    /* PyModuleDef_HEAD_INIT: reference count, type, init function, index, copy. */
    i64 base[5];
    const char *name, *text;
    i64 size;
    struct method *methods;
    void *slots, *traverse, *clear, *free;
};
/* The one that takes lengths as Py_ssize_t. */
extern int _PyArg_ParseTuple_SizeT(PyObject *, const char *, ...);
extern char *PyBytes_AsString(PyObject *);
extern PyObject *PyLong_FromLong(long);
extern PyObject *PyModule_Create2(struct definition *, int);

static PyObject *do_call(PyObject *self, PyObject *arguments)
{
    u64 n, a = 0, b = 0, c = 0, d = 0, e = 0, f = 0;
    (void)self;
    if (!_PyArg_ParseTuple_SizeT(arguments, "k|kkkkkk", &n, &a, &b, &c, &d, &e, &f))
        return 0;
    return PyLong_FromLong(call6(n, a, b, c, d, e, f));
}

static PyObject *do_put(PyObject *self, PyObject *arguments)
{
    u64 address;
    const volatile char *data;
    i64 bytes;
    (void)self;
    if (!_PyArg_ParseTuple_SizeT(arguments, "ky#", &address, &data, &bytes))
        return 0;
    for (i64 i = 0; i < bytes; i++)
        ((volatile char *)address)[i] = data[i];
    return PyLong_FromLong(bytes);
}

static PyObject *do_capture(PyObject *self, PyObject *arguments)
{
    u64 address;
    i64 step_bytes;
    struct orders orders;
    (void)self;
    if (!_PyArg_ParseTuple_SizeT(arguments, "ky#ly#", &address, &orders.maps_text, &orders.maps_bytes,
                          &orders.maps, &orders.steps, &step_bytes))
        return 0;
    struct area *area = (struct area *)address;
    orders.count = (u64)step_bytes / sizeof(struct step);
    area->thread_pointer = thread_pointer();
    area->steps = 0;
    return PyLong_FromLong(capture(area, &orders));
}

static PyObject *do_resume(PyObject *self, PyObject *arguments)
{
    u64 address, stack;
    (void)self;
    if (!_PyArg_ParseTuple_SizeT(arguments, "kk", &address, &stack))
        return 0;
    struct area *area = (struct area *)address;
    if (area->thread_pointer != thread_pointer())
        return PyLong_FromLong(-1);
    resume(area, stack);
}

/* Of the environment variable that changes with each event. `putenv` keeps the address, so that a
 * change of the text is one of the variable; `setenv` would keep every text that it ever had. */
static char variable[1024];
/* The C library's, which is there before this file. */
extern int putenv(char *);

static PyObject *do_change_variable(PyObject *self, PyObject *argument)
{
    const char *text = PyBytes_AsString(argument);
    (void)self;
    if (!text)
        return 0;
    i64 i = 0;
    for (; text[i] && i < (i64)sizeof variable - 1; i++)
        variable[i] = text[i];
    variable[i] = 0;
    return PyLong_FromLong(i);
}

static PyObject *do_place_variable(PyObject *self, PyObject *arguments)
{
    (void)self;
    (void)arguments;
    return PyLong_FromLong(putenv(variable));
}

static struct method methods[] = {
    {"call", do_call, 1, "Make a system call; return its result, -errno for an error."},
    {"put", do_put, 1, "Copy bytes to an address."},
    {"capture", do_capture, 1,
     "(area, maps, descriptor, steps): write this process out. 0: done, 1: this is a copy, 2: the "
     "mappings have changed, -errno."},
    {"change_variable", do_change_variable, 8,
     "(text): change the text of the variable that has its place here, NAME=VALUE."},
    {"place_variable", do_place_variable, 4, "Give the variable that place."},
    {"resume", do_resume, 1, "(area, stack): become the process that an area describes."},
    {0, 0, 0, 0},
};
static struct definition module = {
    {1, 0, 0, 0, 0}, "_snapshot", "See snapshot.c.", -1, methods, 0, 0, 0, 0,
};

__attribute__((visibility("default"))) PyObject *PyInit__snapshot(void)
{
    return PyModule_Create2(&module, 3);
}
