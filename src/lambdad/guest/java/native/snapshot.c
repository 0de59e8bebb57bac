/* Writes an initialised JVM out: the library of `lambdad.Snapshot`.
 *
 * Every thread is interrupted by a signal, whose frame on its stack holds all that the processor
 * knows of it, and waits in the handler. Then nothing changes any more, and the thread that wanted
 * the snapshot, interrupted as well, writes. In a copy each thread returns from its frame.
 */
#include "writer.h"

/* One that nothing in a JVM uses. */
#define SIGNAL 44
#define LOOKS 4000
#define LOOK_NS 500000
#define EINTR (-4L)
#define EBUSY (-16L)
#define EXPORTED __attribute__((visibility("default")))

static int is_copy;
static u64 writing_thread;
static int failed;
/* What glibc has for each thread since 2.35, relative to the thread pointer. */
extern long __attribute__((weak)) __rseq_offset;

/* ---- what is written */

/* The first thread of the process, and then by their numbers. */
static u64 rank(const struct thread *thread)
{
    return thread->tid == area->pid ? 0 : thread->tid;
}

static void sort_threads(struct thread *threads)
{
    for (u64 i = 1; i < area->threads; i++)
        for (u64 j = i; j && rank(&threads[j - 1]) > rank(&threads[j]); j--) {
            struct thread other = threads[j];
            threads[j] = threads[j - 1];
            threads[j - 1] = other;
        }
}

static i64 put_tail(u64 at, u64 bytes, const char *magic)
{
    struct tail tail = {at, bytes, {0}, {0}};
    for (int i = 0; i < 16 && magic[i]; i++)
        tail.magic[i] = magic[i];
    return put_out((u64)&tail, sizeof tail);
}

static i64 store(void)
{
    struct thread *threads = (struct thread *)(AREA + AREA_THREADS);
    area->threads = (u64)area->noted;
    area->restored = (u64)&is_copy;
    sort_threads(threads);
    if (threads[area->threads - 1].tid > area->pid + FILLERS_MAX)
        return refuse("It has started too many threads.", "", "");
    if (store_process())
        return -1;
    u64 bytes = (AREA_STEPS + area->steps * sizeof(struct step) + PAGE - 1) / PAGE * PAGE;
    u64 at = writer.written;
    return put_out(AREA, bytes) || put_tail(at, bytes, "lambdad-snapshot");
}

/* ---- stopping */

static void note_rseq(struct thread *thread)
{
    thread->rseq_bytes = 0;
    if (!&__rseq_offset || !__rseq_offset)
        return;
    thread->rseq = thread->thread_pointer + (u64)__rseq_offset;
    /* Refused, in this way, if it is what the thread has. */
    for (u64 bytes = 32; bytes <= 256; bytes += 32)
        if (call(RSEQ, thread->rseq, bytes, 0, RSEQ_SIGNATURE) == EBUSY)
            thread->rseq_bytes = bytes;
}

static void note_thread(u64 tid, u64 frame)
{
    int place = __atomic_fetch_add(&area->noted, 1, __ATOMIC_ACQ_REL);
    if (place >= THREADS_MAX)
        return;
    struct thread *thread = (struct thread *)(AREA + AREA_THREADS) + place;
    thread->tid = tid;
    thread->frame = frame;
    call(ARCH_PRCTL, ARCH_GET_FS, &thread->thread_pointer, 0, 0);
    call(PRCTL, PR_GET_TID_ADDRESS, &thread->tid_address, 0, 0);
    call(GET_ROBUST_LIST, 0, &thread->robust_list, &thread->robust_bytes, 0);
    if (!thread->robust_list)
        thread->robust_bytes = 0;
    call(PRCTL, PR_GET_NAME, thread->name, 0, 0);
    note_rseq(thread);
}

/* The handler. `context` is where `rt_sigreturn` looks for the registers. */
static void park(int signal, void *information, void *context)
{
    u64 tid = (u64)call(GETTID, 0, 0, 0, 0);
    (void)signal;
    (void)information;
    if (__atomic_load_n(&area->released, __ATOMIC_ACQUIRE))
        return; /* signalled twice */
    note_thread(tid, (u64)context);
    if (tid == writing_thread) {
        failed = store() != 0;
        set_and_wake(&area->released, 1);
    } else {
        __atomic_add_fetch(&area->ready, 1, __ATOMIC_ACQ_REL);
        wait_while(&area->released, 0);
    }
}

static int is_noted(u64 tid)
{
    const struct thread *threads = (const struct thread *)(AREA + AREA_THREADS);
    int noted = __atomic_load_n(&area->noted, __ATOMIC_ACQUIRE);
    for (int i = 0; i < noted && i < THREADS_MAX; i++)
        if (threads[i].tid == tid)
            return 1;
    return 0;
}

/* Count the threads, and signal those that have not been reached. */
static i64 count_threads(int signal)
{
    char *entries = (char *)AREA + AREA_WORK;
    const char *path = "/proc/self/task";
    i64 directory = call(OPENAT, AT_FDCWD, path, O_DIRECTORY | O_CLOEXEC, 0), got, count = 0;
    while ((got = call(GETDENTS, directory, entries, 65536, 0)) > 0)
        for (i64 at = 0; at < got; at += *(const unsigned short *)(entries + at + 16)) {
            const char *name = entries + at + 19;
            if (*name == '.')
                continue;
            u64 tid = number(&name, 10);
            count++;
            if (signal && tid != writing_thread && !is_noted(tid))
                call(TGKILL, area->pid, tid, SIGNAL, 0);
        }
    call(CLOSE, directory, 0, 0, 0);
    return count;
}

/* Whether all other threads wait in their handlers. */
static int stop_others(void)
{
    struct {
        i64 seconds, nanoseconds;
    } pause = {0, LOOK_NS};
    int quiet = 0;
    for (int look = 0; look < LOOKS; look++) {
        i64 count = count_threads(look % 64 == 0);
        if (count - 1 == __atomic_load_n(&area->ready, __ATOMIC_ACQUIRE)) {
            /* Twice, for one that was being started. */
            if (quiet++)
                return area->noted < THREADS_MAX;
        } else {
            quiet = 0;
            call(NANOSLEEP, &pause, 0, 0, 0);
        }
    }
    return 0;
}

__asm__(".text\n.type back, @function\nback:\n  mov $15, %eax\n  syscall\n");
extern void back(void) INTERNAL;

struct action {
    void (*handler)(int, void *, void *);
    u64 flags;
    void (*restorer)(void);
    u64 mask;
};

/* 0: written; 1: this is a copy; -1: refused. */
static int capture(void)
{
    /* SA_SIGINFO, SA_RESTORER, SA_RESTART */
    struct action action = {park, 0x14000004, back, ~0UL}, before;
    const struct action ignored = {(void (*)(int, void *, void *))1, 0, 0, 0};
    /* MAP_FIXED_NOREPLACE */
    u64 flags = PRIVATE_FIXED | ANONYMOUS | NORESERVE | 0x100000;
    u64 bytes = PLACE_END - PLACE;
    if (call6(MMAP, PLACE, bytes, READABLE | WRITABLE, flags, ANY, 0) != (i64)PLACE)
        return (int)refuse("It uses memory at the place of snapshots.", "", "");
    area->pid = (u64)call(GETPID, 0, 0, 0, 0);
    writing_thread = (u64)call(GETTID, 0, 0, 0, 0);
    writer.pagemap = (u64)call(OPENAT, AT_FDCWD, "/proc/self/pagemap", O_CLOEXEC, 0);
    writer.descriptors =
        (u64)call(OPENAT, AT_FDCWD, "/proc/self/fd", O_DIRECTORY | O_CLOEXEC, 0);
    call(SIGACTION, SIGNAL, &action, &before, 8);
    if (stop_others()) {
        call(TGKILL, area->pid, writing_thread, SIGNAL, 0);
    } else {
        failed = (int)refuse("Its threads do not stop.", "", "");
        set_and_wake(&area->released, 1);
    }
    if (__atomic_load_n(&is_copy, __ATOMIC_ACQUIRE)) {
        call(SIGACTION, SIGNAL, &before, 0, 8);
        return 1;
    }
    /* Not as before: threads that were signalled twice still have one to come, which would kill. */
    call(SIGACTION, SIGNAL, &ignored, 0, 8);
    call(CLOSE, writer.pagemap, 0, 0, 0);
    call(CLOSE, writer.descriptors, 0, 0, 0);
    return failed ? -1 : 0;
}

/* ---- native methods of lambdad.Snapshot */

EXPORTED int Java_lambdad_Snapshot_capture(void *env, void *class, int output)
{
    (void)env;
    (void)class;
    writer.output = (u64)output;
    int result = capture();
    if (result < 0) {
        u64 bytes = length(writer.refusal);
        put_out((u64)writer.refusal, bytes);
        put_tail(0, bytes, "lambdad-refusal");
    }
    if (result <= 0)
        call(CLOSE, output, 0, 0, 0);
    return result;
}

/* The descriptor that comes with the first byte, if that is 1; else -1, and nothing is read. */
EXPORTED int Java_lambdad_Snapshot_receive(void *env, void *class, int from)
{
    char first = 0;
    struct {
        u64 bytes;
        int level, type, descriptor;
    } control = {0, 0, 0, -1};
    struct {
        char *at;
        u64 bytes;
    } piece = {&first, 1};
    struct {
        void *name;
        u64 name_bytes;
        void *pieces;
        u64 count;
        void *control;
        u64 control_bytes, flags;
    } message = {0, 0, &piece, 1, &control, sizeof control, 0};
    i64 got;
    (void)env;
    (void)class;
    do
        got = call6(RECVFROM, (u64)from, (u64)&first, 1, 2 /* MSG_PEEK */, 0, 0);
    while (got == EINTR);
    if (got != 1 || first != 1)
        return -1;
    got = call(RECVMSG, from, &message, 0x40000000 /* MSG_CMSG_CLOEXEC */, 0);
    return got == 1 && control.bytes >= 20 && control.type == 1 ? control.descriptor : -1;
}

/* By JNI's table: FromReflectedField and SetStaticObjectField. */
EXPORTED void Java_lambdad_Snapshot_assign(void ***env, void *class, void *of, void *field,
                                           void *value)
{
    void *(*id_of)(void *, void *) = (void *(*)(void *, void *))(*env)[8];
    void (*set)(void *, void *, void *, void *) =
        (void (*)(void *, void *, void *, void *))(*env)[154];
    (void)class;
    set(env, of, id_of(env, field), value);
}
