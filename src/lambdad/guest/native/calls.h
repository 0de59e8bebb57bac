/*
 * The kernel's calls, without a C library, and the types that what stands here is made of.
 */

typedef unsigned char u8;
typedef unsigned short u16;
typedef unsigned int u32;
typedef unsigned long u64;
typedef long i64;

#if defined(__x86_64__)
enum {
    SYS_WRITE = 1, SYS_READ = 0, SYS_CLOSE = 3, SYS_MMAP = 9, SYS_MUNMAP = 11,
    SYS_RT_SIGACTION = 13, SYS_RT_SIGPROCMASK = 14, SYS_PWRITE64 = 18, SYS_GETPID = 39,
    SYS_SOCKET = 41, SYS_CONNECT = 42, SYS_RECVFROM = 45, SYS_SENDMSG = 46, SYS_RECVMSG = 47,
    SYS_CLONE = 56, SYS_EXECVE = 59, SYS_WAIT4 = 61, SYS_KILL = 62, SYS_FCNTL = 72,
    SYS_CHDIR = 80, SYS_SETSID = 112, SYS_PRCTL = 157, SYS_EXIT_GROUP = 231, SYS_PPOLL = 271,
    SYS_SIGNALFD4 = 289, SYS_DUP3 = 292, SYS_PIPE2 = 293,
};

static inline i64 call(i64 number, i64 a, i64 b, i64 c, i64 d, i64 e, i64 f)
{
    i64 result;
    register i64 r10 __asm__("r10") = d;
    register i64 r8 __asm__("r8") = e;
    register i64 r9 __asm__("r9") = f;
    __asm__ volatile("syscall"
                     : "=a"(result)
                     : "a"(number), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9)
                     : "rcx", "r11", "memory");
    return result;
}
#elif defined(__aarch64__)
enum {
    SYS_WRITE = 64, SYS_READ = 63, SYS_CLOSE = 57, SYS_MMAP = 222, SYS_MUNMAP = 215,
    SYS_RT_SIGACTION = 134, SYS_RT_SIGPROCMASK = 135, SYS_PWRITE64 = 68, SYS_GETPID = 172,
    SYS_SOCKET = 198, SYS_CONNECT = 203, SYS_RECVFROM = 207, SYS_SENDMSG = 211, SYS_RECVMSG = 212,
    SYS_CLONE = 220, SYS_EXECVE = 221, SYS_WAIT4 = 260, SYS_KILL = 129, SYS_FCNTL = 25,
    SYS_CHDIR = 49, SYS_SETSID = 157, SYS_PRCTL = 167, SYS_EXIT_GROUP = 94, SYS_PPOLL = 73,
    SYS_SIGNALFD4 = 74, SYS_DUP3 = 24, SYS_PIPE2 = 59,
};

static inline i64 call(i64 number, i64 a, i64 b, i64 c, i64 d, i64 e, i64 f)
{
    register i64 x8 __asm__("x8") = number;
    register i64 x0 __asm__("x0") = a;
    register i64 x1 __asm__("x1") = b;
    register i64 x2 __asm__("x2") = c;
    register i64 x3 __asm__("x3") = d;
    register i64 x4 __asm__("x4") = e;
    register i64 x5 __asm__("x5") = f;
    __asm__ volatile("svc #0"
                     : "+r"(x0)
                     : "r"(x8), "r"(x1), "r"(x2), "r"(x3), "r"(x4), "r"(x5)
                     : "memory");
    return x0;
}
#else
#error "There is no PID 1 for this processor: the Python one stays."
#endif

