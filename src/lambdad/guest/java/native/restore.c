/* Becomes the process that an image is of: run in place of a JVM, with the image as descriptor 5.
 *
 * The image is what a function wrote. What it makes this process do is what the function's code may
 * do in this sandbox, and by no other means: nothing here has a right that a program has not.
 */
#include "snapshot.h"

#define FAILED 70

static char own_stack[32768] __attribute__((aligned(64), used));
static char text[65536];

__attribute__((noreturn)) static void fail(char what, u64 position, i64 result)
{
    char said[] = "lambdad: step ?0x00000 of a restore failed with 0x0000\n";
    said[14] = what;
    for (int digit = 0; digit < 5; digit++)
        said[21 - digit] = "0123456789abcdef"[position >> 4 * digit & 15];
    for (int digit = 0; digit < 4; digit++)
        said[53 - digit] = "0123456789abcdef"[(u64)-result >> 4 * digit & 15];
    call(WRITE, 2, said, sizeof said - 1, 0);
    for (;;)
        call(EXIT_GROUP, FAILED, 0, 0, 0);
}

static u64 must(char what, u64 position, i64 result)
{
    if (is_error(result))
        fail(what, position, result);
    return (u64)result;
}

/* ---- files and memory */

static i64 check(const struct step *step, u64 opened)
{
    u64 status[18];
    i64 result = call(FSTAT, opened, status, 0, 0);
    if (result)
        return result;
    const u64 *a = step->arguments;
    /* st_ino, st_size, st_mtim */
    int same = status[1] == a[0] && status[6] == a[1] && status[11] == a[2] && status[12] == a[3];
    return same ? 0 : -116; /* ESTALE */
}

static i64 put(u64 opened, u64 descriptor, u64 flags)
{
    if (opened == descriptor)
        return call(FCNTL, descriptor, 2, flags & O_CLOEXEC ? 1 : 0, 0);
    i64 result = call(DUP3, opened, descriptor, flags & O_CLOEXEC, 0);
    call(CLOSE, opened, 0, 0, 0);
    return is_error(result) ? result : 0;
}

static i64 broken(u64 descriptor, u64 flags)
{
    int pair[2];
    i64 result = call(SOCKETPAIR, 1, 1, 0, pair);
    if (result)
        return result;
    call(CLOSE, pair[1], 0, 0, 0);
    if (flags & O_NONBLOCK)
        call(FCNTL, pair[0], 4, O_NONBLOCK, 0);
    return put((u64)pair[0], descriptor, flags);
}

static void perform(const struct area *area)
{
    const struct step *step = (const struct step *)(AREA + AREA_STEPS);
    u64 opened = ANY;
    for (u64 position = 0; position < area->steps; position++, step++) {
        const u64 *a = step->arguments;
        i64 result;
        if (step->number == CHECK)
            result = check(step, opened);
        else if (step->number == BROKEN)
            result = broken(a[0], a[1]);
        else if (step->number == PUT)
            result = put(opened, a[0], a[1]);
        else
            result = call6(step->number, a[0] == OPENED ? opened : a[0], a[1], a[2], a[3],
                           a[4] == OPENED ? opened : a[4], a[5]);
        if (is_error(result) || (step->expected != ANY && (u64)result != step->expected))
            fail('s', position, result);
        if (step->number == OPENAT || step->number == EVENTFD || step->number == EPOLL_CREATE)
            opened = (u64)result;
    }
}

/* ---- threads */

__attribute__((used, noreturn)) static void become(struct area *area, const struct thread *thread)
{
    u64 position = thread->tid;
    must('f', position, call(ARCH_PRCTL, ARCH_SET_FS, thread->thread_pointer, 0, 0));
    call(SET_TID_ADDRESS, thread->tid_address, 0, 0, 0);
    if (thread->robust_bytes)
        must('r', position, call(SET_ROBUST_LIST, thread->robust_list, thread->robust_bytes, 0, 0));
    if (thread->rseq_bytes)
        must('q', position, call(RSEQ, thread->rseq, thread->rseq_bytes, 0, RSEQ_SIGNATURE));
    call(PRCTL, PR_SET_NAME, thread->name, 0, 0);
    if (__atomic_add_fetch(&area->ready, 1, __ATOMIC_ACQ_REL) == (int)area->threads)
        set_and_wake(&area->released, 2);
    wait_while(&area->released, 0);
    __asm__ volatile("mov %0, %%rsp\n mov %1, %%eax\n syscall\n ud2"
                     :: "r"(thread->frame), "i"(SIGRETURN) : "memory");
    __builtin_unreachable();
}

/* i64 spawn(flags, thread, area): a thread that becomes that, or ends if its number is another. */
i64 spawn(u64 flags, const struct thread *thread, struct area *area);
__asm__(".text\n"
        "spawn:\n"
        "  push %rbx\n push %r12\n"
        "  mov %rsi, %rbx\n mov %rdx, %r12\n"
        "  mov 8(%rbx), %rsi\n"
        "  and $-64, %rsi\n sub $256, %rsi\n"
        "  xor %edx, %edx\n xor %r10d, %r10d\n xor %r8d, %r8d\n"
        "  mov $56, %eax\n"
        "  syscall\n"
        "  test %rax, %rax\n jz 1f\n"
        "  pop %r12\n pop %rbx\n ret\n"
        "1: mov $186, %eax\n syscall\n"
        "  cmp %rax, (%rbx)\n jne 2f\n"
        "  mov %r12, %rdi\n mov %rbx, %rsi\n"
        "  call become\n"
        "2: xor %edi, %edi\n mov $60, %eax\n syscall\n ud2\n");

static void make_threads(struct area *area)
{
    const u64 flags = 0x100 | 0x200 | 0x400 | 0x800 | 0x10000 | 0x40000;
    const struct thread *threads = (const struct thread *)(AREA + AREA_THREADS);
    const struct thread *first = threads;
    u64 tries = 0;
    if (!area->threads || area->threads > THREADS_MAX || threads[0].tid != area->pid)
        fail('t', 0, 0);
    area->ready = area->released = 0;
    for (u64 i = 1; i < area->threads; i++)
        for (;;) {
            u64 tid = must('c', i, spawn(flags, &threads[i], area));
            if (tid == threads[i].tid)
                break;
            if (tid > threads[i].tid || ++tries > FILLERS_MAX)
                fail('n', threads[i].tid, (i64)-tid);
        }
    become(area, first);
}

/* ---- from the start */

static void read_maps(void)
{
    u64 maps = must('m', 0, call(OPENAT, AT_FDCWD, "/proc/self/maps", 0, 0)), place = 0;
    for (;;) {
        u64 got = must('m', 1, call(READ, maps, text + place, sizeof text - 1 - place, 0));
        if (!got)
            break;
        place += got;
    }
    text[place] = 0;
    call(CLOSE, maps, 0, 0, 0);
}

/* Put the kernel's own pages aside, free everything else, and put them where they were. */
static void clear_memory(const struct area *area)
{
    u64 count = 0, aside = ASIDE;
    read_maps();
    for (const char *line = text; *line;) {
        u64 start = number(&line, 16);
        line++;
        u64 end = number(&line, 16);
        const char *name = line;
        while (*line && *line != '\n')
            if (*line++ == ' ')
                name = line;
        if (*line)
            line++;
        if (start >= LAST_ADDRESS || !(starts(name, "[vvar") || starts(name, "[vdso")))
            continue;
        if (count == area->vdso_count || end - start != area->vdso[count].bytes)
            fail('v', count, 0);
        must('v', 16, call6(MREMAP, start, end - start, end - start, MAYMOVE_FIXED, aside, 0));
        count++;
        aside += end - start;
    }
    if (count != area->vdso_count)
        fail('v', 32, 0);
    must('u', 0, call(MUNMAP, 65536, PLACE - 65536, 0, 0));
    must('u', 1, call(MUNMAP, PLACE_END, LAST_ADDRESS - PLACE_END, 0, 0));
    aside = ASIDE;
    for (u64 i = 0; i < count; i++) {
        u64 bytes = area->vdso[i].bytes;
        i64 result = call6(MREMAP, aside, bytes, bytes, MAYMOVE_FIXED, area->vdso[i].start, 0);
        must('v', 48 + i, result);
        aside += bytes;
    }
}

/* Map the last part of the image, by which the rest is. */
static struct area *open_area(void)
{
    struct tail tail;
    u64 status[18];
    must('i', 0, call(DUP3, ASSIGNMENT_FD + 1, IMAGE_FD, O_CLOEXEC, 0));
    call(CLOSE, ASSIGNMENT_FD + 1, 0, 0, 0);
    must('i', 1, call(FSTAT, IMAGE_FD, status, 0, 0));
    u64 size = status[6], at = size - sizeof tail;
    if (size < sizeof tail || call(PREAD, IMAGE_FD, &tail, sizeof tail, at) != sizeof tail)
        fail('i', 2, 0);
    if (tail.area_at > size || tail.area_bytes > AREA_WORK || tail.area_bytes < AREA_STEPS)
        fail('i', 3, 0);
    u64 access = READABLE | WRITABLE;
    must('i', 4, call6(MMAP, AREA, tail.area_bytes, access, PRIVATE_FIXED, IMAGE_FD, tail.area_at));
    struct area *area = (struct area *)AREA;
    u64 pid = (u64)call(GETPID, 0, 0, 0, 0);
    if (area->pid != pid || area->steps > STEPS_MAX || area->vdso_count > 4)
        fail('p', area->pid, -(i64)pid);
    return area;
}

/* Say where the process has its program, its arguments and its heap. */
static void place_memory(const struct area *area)
{
    struct {
        u64 places[11], vector;
        unsigned vector_bytes, program;
    } map = {.program = ~0U};
    for (int i = 0; i < 11; i++)
        map.places[i] = area->mm[i];
    must('b', 0, call6(PRCTL, PR_SET_MM, PR_SET_MM_MAP, (u64)&map, sizeof map, 0, 0));
}

__attribute__((used, noreturn)) static void run(void)
{
    u64 all = ~0UL;
    call(SIGPROCMASK, 2, &all, 0, 8);
    struct area *area = open_area();
    clear_memory(area);
    perform(area);
    place_memory(area);
    /* MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED: later versions of Java use it. */
    call(MEMBARRIER, 16, 0, 0, 0);
    call(CLOSE, IMAGE_FD, 0, 0, 0);
    *(int *)area->restored = 1;
    make_threads(area);
    __builtin_unreachable();
}

__asm__(".globl _start\n"
        "_start:\n"
        "  lea own_stack+32768(%rip), %rsp\n"
        "  call run\n");
