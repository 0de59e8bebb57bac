/* What the writer of an image, in a JVM, and the restorer, in the place of one, share: its form.
 *
 * An image has pages of memory, the area, whole pages as well, and the tail. The area says what
 * brings the process back: system calls, in their order, and threads. Neither side uses a C
 * library: in one, another thread may be in the middle of it, and the other takes it away.
 */

typedef unsigned long u64;
typedef long i64;

struct step {
    u64 number; /* of the system call, or one of the orders below */
    u64 arguments[6];
    u64 expected; /* result, or ANY that is no error */
};

enum {
    /* (inode, bytes, seconds, nanoseconds): the file opened last must still be that. */
    CHECK = 1 << 20,
    /* (descriptor, flags): a connection whose other end has closed it. */
    BROKEN,
    /* (descriptor, flags): the number that the file opened last is to have. */
    PUT,
};
#define ANY (~0UL)
/* In the place of a descriptor: the file opened last. */
#define OPENED (~1UL)

/* Nothing else is put there: below all that the kernel or an allocator chooses. */
#define PLACE 0x200000000000UL /* the restorer's own program; see `build_java_snapshots.py` */
#define AREA (PLACE + (16UL << 20))
#define ASIDE (PLACE + (64UL << 20))
#define PLACE_END (PLACE + (80UL << 20))
#define LAST_ADDRESS 0x7ffffffff000UL
#define PAGE 4096UL
#define IMAGE_FD 1000
#define ASSIGNMENT_FD 4
#define THREADS_MAX 1024
/* Threads that only use up numbers which the snapshot's threads do not have. */
#define FILLERS_MAX 8000

struct thread {
    u64 tid;
    u64 frame; /* what `rt_sigreturn` finds at the stack pointer */
    u64 thread_pointer;
    u64 tid_address;
    u64 robust_list, robust_bytes;
    u64 rseq, rseq_bytes;
    char name[16];
};

struct mapping {
    u64 start, bytes;
};

struct area {
    u64 pid;
    u64 threads;
    u64 steps;
    u64 restored; /* address of a word that says so */
    u64 vdso_count;
    struct mapping vdso[4]; /* the kernel's own pages */
    u64 mm[11]; /* as `struct prctl_mm_map` begins */
    /* At work: threads that have said what they are, and that wait; and whether they may go on. */
    int noted, ready, released;
};
/* Offsets in it. What is behind the steps is not stored. */
#define AREA_THREADS 4096UL
#define AREA_TEXTS (AREA_THREADS + THREADS_MAX * sizeof(struct thread))
#define TEXTS_BYTES (1UL << 20)
#define AREA_STEPS (AREA_TEXTS + TEXTS_BYTES)
#define STEPS_MAX 65536UL
#define AREA_WORK (8UL << 20)
#define WORK_BYTES (4UL << 20)
#define AREA_BYTES (AREA_WORK + 2 * WORK_BYTES)

struct tail {
    u64 area_at, area_bytes;
    char token[16], magic[16];
};

enum { READ = 0, WRITE = 1, CLOSE = 3, FSTAT = 5, POLL = 7, LSEEK = 8, MMAP = 9, MPROTECT = 10,
       MUNMAP = 11, BRK = 12, SIGACTION = 13, SIGPROCMASK = 14, SIGRETURN = 15, PREAD = 17,
       MREMAP = 25, NANOSLEEP = 35, GETITIMER = 36, GETPID = 39, RECVFROM = 45, RECVMSG = 47,
       SOCKETPAIR = 53, GETSOCKOPT = 55, FCNTL = 72, CHDIR = 80, READLINK = 89, UMASK = 95,
       FSTATFS = 138, PRCTL = 157, ARCH_PRCTL = 158, GETTID = 186, FUTEX = 202, GETDENTS = 217,
       SET_TID_ADDRESS = 218, EXIT_GROUP = 231, EPOLL_CTL = 233, TGKILL = 234, OPENAT = 257,
       SET_ROBUST_LIST = 273, GET_ROBUST_LIST = 274, EVENTFD = 290, EPOLL_CREATE = 291, DUP3 = 292,
       PRLIMIT = 302, MEMBARRIER = 324, RSEQ = 334 };
enum { ARCH_SET_FS = 0x1002, ARCH_GET_FS = 0x1003, RSEQ_SIGNATURE = 0x53053053, PR_SET_NAME = 15,
       PR_GET_NAME = 16, PR_SET_MM = 35, PR_SET_MM_MAP = 14, PR_SET_MM_MAP_SIZE = 15,
       PR_GET_TID_ADDRESS = 40 };
enum { O_NONBLOCK = 04000, O_DIRECTORY = 0200000, O_CLOEXEC = 02000000 };
enum { READABLE = 1, WRITABLE = 2, EXECUTABLE = 4, MAYMOVE_FIXED = 3 };
#define AT_FDCWD (-100L)
#define PRIVATE_FIXED 0x12UL
#define SHARED_FIXED 0x11UL
#define ANONYMOUS 0x20UL
#define NORESERVE 0x4000UL

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
#define call(n, a, b, c, d) call6((n), (u64)(a), (u64)(b), (u64)(c), (u64)(d), 0, 0)

static inline int is_error(i64 result) { return (u64)result > -4096UL; }

static inline void wait_while(int *word, int value)
{
    while (__atomic_load_n(word, __ATOMIC_ACQUIRE) == value)
        call(FUTEX, word, 0, value, 0);
}

static inline void set_and_wake(int *word, int value)
{
    __atomic_store_n(word, value, __ATOMIC_RELEASE);
    call(FUTEX, word, 1, 1 << 30, 0);
}

static inline u64 length(const char *text)
{
    u64 n = 0;
    while (text[n])
        n++;
    return n;
}
static inline int starts(const char *text, const char *with)
{
    while (*with)
        if (*text++ != *with++)
            return 0;
    return 1;
}
/* A number of the base; moves the pointer behind it. */
static inline u64 number(const char **text, u64 base)
{
    u64 value = 0;
    for (;; (*text)++) {
        char c = **text;
        u64 digit = c >= 'a' ? (u64)(c - 'a') + 10 : (u64)c - '0';
        if (digit >= base)
            return value;
        value = value * base + digit;
    }
}

/* The compiler may call them. */
__attribute__((used)) static void *memset(void *to, int value, u64 bytes)
{
    for (u64 i = 0; i < bytes; i++)
        ((volatile char *)to)[i] = (char)value;
    return to;
}
__attribute__((used)) static void *memcpy(void *to, const void *from, u64 bytes)
{
    for (u64 i = 0; i < bytes; i++)
        ((volatile char *)to)[i] = ((const char *)from)[i];
    return to;
}
