/*
 * PID 1 of a sandbox, as small as it can be: the messages of `lambdad/guest/init.py`, without an
 * interpreter. PID 1 is this program from the start (`launch.c`), or a Python PID 1 becomes
 * it once nothing is left to be forked from that.
 *
 * It stands alone: no C library, no writable data, no relocations. All state is on the stack, so
 * that an idle sandbox pays for two pages. Its environment says what its predecessor knew, as
 * NAME=value in this order: the number of the control socket, that of `oom_score_adj`, that of a
 * socket to the process that waits to be the first forked program (0: there is none) and its pid,
 * that of what to say that the sandbox stands with, a pidfd of this process (0: it is said), and
 * "pid token" of every program that runs.
 *
 * It is built and checked in by `scripts/build_init.py`.
 */

#include "calls.h"

/* Where the program begins, and 32 bytes behind that where the launcher calls `launch.c`. */
#if defined(__x86_64__)
__asm__(".pushsection .text.start, \"ax\"\n"
        ".globl _start\n"
        "_start:\n"
        "xor %ebp, %ebp\n"
        "mov %rsp, %rdi\n"
        "and $-16, %rsp\n"
        "call begin\n"
        "hlt\n"
        ".balign 32\n"
        ".globl _launch\n"
        "_launch:\n"
        "jmp launch\n"
        ".popsection\n");
#else
__asm__(".pushsection .text.start, \"ax\"\n"
        ".globl _start\n"
        "_start:\n"
        "mov x29, #0\n"
        "mov x30, #0\n"
        "mov x0, sp\n"
        "b begin\n"
        ".balign 32\n"
        ".globl _launch\n"
        "_launch:\n"
        "b launch\n"
        ".popsection\n");
#endif

#define call1(n, a) call(n, (i64)(a), 0, 0, 0, 0, 0)
#define call2(n, a, b) call(n, (i64)(a), (i64)(b), 0, 0, 0, 0)
#define call3(n, a, b, c) call(n, (i64)(a), (i64)(b), (i64)(c), 0, 0, 0)
#define call4(n, a, b, c, d) call(n, (i64)(a), (i64)(b), (i64)(c), (i64)(d), 0, 0)

enum {
    EPERM_ = 1, ENOENT_ = 2, ESRCH_ = 3, EINTR_ = 4, ECHILD_ = 10, EAGAIN_ = 11, ENOMEM_ = 12,
    ENOTDIR_ = 20, EINVAL_ = 22, ENFILE_ = 23, EMFILE_ = 24, EINPROGRESS_ = 115,
};
enum { SIGKILL_ = 9, SIGCHLD_ = 17, SIGSTOP_ = 19, SIGNALS = 64 };
enum { SIG_BLOCK_ = 0, SIG_SETMASK_ = 2, SIGNAL_SET_BYTES = 8 };
enum { MSG_PEEK_ = 0x2, MSG_TRUNC_ = 0x20, MSG_NOSIGNAL_ = 0x4000, MSG_CMSG_CLOEXEC_ = 0x40000000 };
enum { SOL_SOCKET_ = 1, SCM_RIGHTS_ = 1, AF_INET_ = 2, SOCK_STREAM_ = 1 };
enum { NONBLOCK = 04000, CLOEXEC = 02000000, WNOHANG_ = 1 };
enum { F_SETFD_ = 2, F_DUPFD_CLOEXEC_ = 1030, FD_CLOEXEC_ = 1 };
enum { PROT_READ_WRITE = 3, MAP_PRIVATE_ANONYMOUS = 0x22 };
enum { PR_SET_PDEATHSIG_ = 1, PR_SET_DUMPABLE_ = 4, PR_SET_NAME_ = 15, POLLIN_ = 1 };

/* As in guest/init.py. */
enum { TELEMETRY = 1, FORKED = 2, TELEMETRY_FD = 3, FIRST_INHERITED_FD = 4, DESCRIPTORS = 6, ASIDE_FD = 64 };
enum { SPAWN_HEAD_BYTES = 10, SIGNAL_BYTES = 6, KILL_BYTES = 5, CONNECT_BYTES = 7 };
enum { STATUS_NOT_FOUND = 127 << 8, STATUS_NOT_EXECUTABLE = 126 << 8 };

/* More programs of the supervisor than this do not run at once: one runtime and ten extensions. */
enum { PROGRAMS = 64 };

struct vector { void *base; u64 size; };
struct header {
    void *name; u32 name_size; struct vector *vectors; u64 count;
    void *control; u64 control_size; int flags;
};
struct rights { u64 size; int level, kind; int descriptors[DESCRIPTORS]; };
struct program { int pid; u32 token; };
struct init {
    int control, oom_score, seat, seated, children;
    struct program programs[PROGRAMS];
};
/* What a spawn says; the texts lie in a mapping of their own. */
struct request {
    u32 token; u8 flags;
    char *directory; char **argv; char **variables;
    int *descriptors; int count;
    void *message; u64 size;
};

/* The compiler may call these whatever it is told. */
void *memset(void *to, int value, u64 size)
{
    for (u64 at = 0; at < size; at++) {
        ((volatile u8 *)to)[at] = (u8)value;
    }
    return to;
}

void *memcpy(void *to, const void *from, u64 size)
{
    for (u64 at = 0; at < size; at++) {
        ((volatile u8 *)to)[at] = ((const u8 *)from)[at];
    }
    return to;
}

static u16 number16(const u8 *at) { return (u16)(at[0] | at[1] << 8); }
static u32 number32(const u8 *at) { return (u32)number16(at) | (u32)number16(at + 2) << 16; }

static void end(int status)
{
    for (;;) {
        call1(SYS_EXIT_GROUP, status);
    }
}

/* Send a report, with a descriptor unless that is negative; the end of the socket is ours. */
static void report_with(struct init *self, u8 kind, u32 token, int value, int descriptor)
{
    u8 text[9] = {kind};
    struct vector vector = {text, sizeof text};
    struct rights rights = {16 + sizeof(int), SOL_SOCKET_, SCM_RIGHTS_, {descriptor}};
    struct header header = {0, 0, &vector, 1, 0, 0, 0};
    for (int at = 0; at < 4; at++) {
        text[1 + at] = (u8)(token >> 8 * at);
        text[5 + at] = (u8)((u32)value >> 8 * at);
    }
    if (descriptor >= 0) {
        header.control = &rights;
        header.control_size = 24;
    }
    i64 sent;
    do {
        sent = call3(SYS_SENDMSG, self->control, &header, MSG_NOSIGNAL_);
    } while (sent == -EINTR_);
    if (sent < 0) {
        end(0);
    }
}

static void report(struct init *self, u8 kind, u32 token, int value)
{
    report_with(self, kind, token, value, -1);
}

static void leave_seat(struct init *self)
{
    if (self->seat) {
        call1(SYS_CLOSE, self->seat);
    }
    self->seat = self->seated = 0;
}

static void collect(struct init *self, int pid, int status)
{
    if (pid == self->seated) {
        /* Others may hold its end of the socket for a moment: a request would get lost there. */
        leave_seat(self);
    }
    for (int at = 0; at < PROGRAMS; at++) {
        if (self->programs[at].pid == pid) {
            self->programs[at].pid = 0;
            report(self, 'E', self->programs[at].token, status);
            return;
        }
    }
}

/* Collect what has ended until now; orphans come to PID 1 as well. */
static void reap(struct init *self)
{
    int status;
    for (;;) {
        i64 pid = call4(SYS_WAIT4, -1, &status, WNOHANG_, 0);
        if (pid <= 0) {
            return;
        }
        collect(self, (int)pid, status);
    }
}

/* In the child: what the program is to find, then the program. Returns what went wrong. */
static i64 become(const struct request *request)
{
    u64 none = 0;
    u64 action[4] = {0, 0, 0, 0};
    int aside[DESCRIPTORS];
    i64 result = 0;
    call1(SYS_SETSID, 0);
    for (int number = 1; number <= SIGNALS; number++) {
        if (number != SIGKILL_ && number != SIGSTOP_) {
            call4(SYS_RT_SIGACTION, number, action, 0, SIGNAL_SET_BYTES);
        }
    }
    /* Or one would be overwritten before it has got to its place. */
    for (int at = 0; at < request->count; at++) {
        result = call3(SYS_FCNTL, request->descriptors[at], F_DUPFD_CLOEXEC_, ASIDE_FD);
        if (result < 0) {
            return result;
        }
        aside[at] = (int)result;
    }
    for (int at = 0, place = 1; at < request->count; at++, place++) {
        if (at == 1) {
            place = request->flags & TELEMETRY ? TELEMETRY_FD : FIRST_INHERITED_FD;
        }
        result = call3(SYS_DUP3, aside[at], place, 0);
        if (result >= 0 && at == 0) {
            result = call3(SYS_DUP3, aside[at], 2, 0);
        }
        if (result < 0) {
            return result;
        }
    }
    call4(SYS_RT_SIGPROCMASK, SIG_SETMASK_, &none, 0, SIGNAL_SET_BYTES);
    return call3(SYS_EXECVE, request->argv[0], request->argv, request->variables);
}

/* Return the pid, or what went wrong: then there is no process. */
static i64 execute(struct init *self, const struct request *request)
{
    int ends[2];
    int failure = 0;
    i64 result = call2(SYS_PIPE2, ends, CLOEXEC);
    if (result < 0) {
        return result;
    }
    /* The kernel then takes the programs, not PID 1, when the memory of the sandbox runs out. */
    call4(SYS_PWRITE64, self->oom_score, "1000", 4, 0);
    i64 pid = call(SYS_CLONE, SIGCHLD_, 0, 0, 0, 0, 0);
    if (pid == 0) {
        /* Out of the way of what the program shall find there. */
        i64 writer = call3(SYS_FCNTL, ends[1], F_DUPFD_CLOEXEC_, ASIDE_FD);
        failure = (int)(writer < 0 ? writer : become(request));
        call3(SYS_WRITE, writer < 0 ? ends[1] : writer, &failure, sizeof failure);
        end(STATUS_NOT_FOUND >> 8);
    }
    call4(SYS_PWRITE64, self->oom_score, "0", 1, 0);
    call1(SYS_CLOSE, ends[1]);
    if (pid > 0) {
        do {
            result = call3(SYS_READ, ends[0], &failure, sizeof failure);
        } while (result == -EINTR_);
        if (result == sizeof failure) {
            while (call4(SYS_WAIT4, pid, 0, 0, 0) == -EINTR_) {
            }
            pid = failure;
        }
    }
    call1(SYS_CLOSE, ends[0]);
    return pid;
}

/* Have the process that waits become the program; 0 if there is none any more. */
static int seat(struct init *self, const struct request *request)
{
    struct vector vector = {request->message, request->size};
    struct rights rights = {16 + (u64)request->count * sizeof(int), SOL_SOCKET_, SCM_RIGHTS_, {0}};
    struct header header = {0, 0, &vector, 1, &rights, 16 + 8 * (((u32)request->count + 1) / 2), 0};
    int seated = self->seated;
    i64 sent;
    if (!(request->flags & FORKED) || self->seat == 0) {
        return 0;
    }
    for (int at = 0; at < request->count; at++) {
        rights.descriptors[at] = request->descriptors[at];
    }
    do {
        sent = call3(SYS_SENDMSG, self->seat, &header, MSG_NOSIGNAL_);
    } while (sent == -EINTR_);
    leave_seat(self);
    return sent < 0 ? 0 : seated;
}

static void spawn(struct init *self, const struct request *request)
{
    struct program *place = 0;
    for (int at = 0; at < PROGRAMS; at++) {
        if (self->programs[at].pid == 0) {
            place = &self->programs[at];
        }
    }
    i64 pid = call1(SYS_CHDIR, request->directory);
    if (pid < 0) {
        report(self, 'N', request->token, (int)-pid);
        return;
    }
    pid = place ? seat(self, request) : -EAGAIN_;
    if (pid == 0) {
        pid = execute(self, request);
    }
    call1(SYS_CHDIR, "/");
    if (pid > 0) {
        place->pid = (int)pid;
        place->token = request->token;
        report(self, 'P', request->token, 0);
    } else if (pid == -EAGAIN_ || pid == -ENOMEM_ || pid == -EMFILE_ || pid == -ENFILE_) {
        report(self, 'N', request->token, (int)-pid);
    } else {
        /* What a shell answers for what does not exist, and what cannot be executed. */
        int missing = pid == -ENOENT_ || pid == -ENOTDIR_;
        report(self, 'P', request->token, 0);
        report(self, 'E', request->token, missing ? STATUS_NOT_FOUND : STATUS_NOT_EXECUTABLE);
    }
}

/* Put the addresses of `count` texts at `to`, and nothing behind them; return what follows. */
static char *point(char **to, u32 count, char *at, const char *after)
{
    for (u32 index = 0; index < count; index++) {
        to[index] = at;
        while (at < after && *at) {
            at++;
        }
        at += at < after;
    }
    to[count] = 0;
    return at;
}

/* Take the descriptors of a message; all that come are ours to close. */
static int accept_rights(const struct header *header, struct rights *rights)
{
    if (header->control_size < 16 || rights->level != SOL_SOCKET_ || rights->kind != SCM_RIGHTS_) {
        return 0;
    }
    return (int)((rights->size - 16) / sizeof(int));
}

static i64 receive(struct init *self, void *to, u64 size, struct rights *rights, int *count)
{
    struct vector vector = {to, size};
    struct header header = {0, 0, &vector, 1, rights, sizeof *rights, 0};
    i64 received = call3(SYS_RECVMSG, self->control, &header, MSG_CMSG_CLOEXEC_);
    *count = received < 0 ? 0 : accept_rights(&header, rights);
    return received;
}

static void serve_spawn(struct init *self, const u8 *head, u64 size)
{
    struct rights rights = {0};
    struct request request = {number32(head + 1), head[5], 0, 0, 0, rights.descriptors, 0, 0, 0};
    u32 arguments = number16(head + 6), variables = number16(head + 8);
    u64 pointers = (arguments + variables + 2ul) * sizeof(char *);
    u64 mapped = pointers + size + 1;
    i64 at = call(SYS_MMAP, 0, (i64)mapped, PROT_READ_WRITE, MAP_PRIVATE_ANONYMOUS, -1, 0);
    if (at < 0 && at > -4096) {
        /* Its message has to go all the same. */
        u8 rest[SPAWN_HEAD_BYTES];
        receive(self, rest, sizeof rest, &rights, &request.count);
        report(self, 'N', request.token, (int)-at);
    } else {
        char *text = (char *)at + pointers;
        receive(self, text, size, &rights, &request.count);
        request.message = text;
        request.size = size;
        request.directory = text + SPAWN_HEAD_BYTES;
        request.argv = (char **)at;
        request.variables = request.argv + arguments + 1;
        char *next = request.directory;
        while (*next) {
            next++;
        }
        next = point(request.argv, arguments, next + 1, text + size);
        point(request.variables, variables, next, text + size);
        spawn(self, &request);
        call2(SYS_MUNMAP, at, mapped);
    }
    for (int index = 0; index < request.count; index++) {
        call1(SYS_CLOSE, rights.descriptors[index]);
    }
}

/* Make a connection for the supervisor, which is in another network namespace. */
static void serve_connect(struct init *self, u32 token, u16 port)
{
    /* sockaddr_in, in the order of the network. */
    u8 address[16] = {AF_INET_, 0, (u8)(port >> 8), (u8)port, 127, 0, 0, 1};
    i64 fd = call3(SYS_SOCKET, AF_INET_, SOCK_STREAM_ | NONBLOCK | CLOEXEC, 0);
    /* The supervisor waits for what is under way: here nothing may wait. */
    i64 result = fd < 0 ? fd : call3(SYS_CONNECT, fd, address, sizeof address);
    if (result < 0 && result != -EINPROGRESS_) {
        report(self, 'C', token, (int)-result);
    } else {
        report_with(self, 'C', token, 0, (int)fd);
    }
    if (fd >= 0) {
        call1(SYS_CLOSE, fd);
    }
}

static void serve_signal(struct init *self, u32 token, u8 number)
{
    for (int at = 0; at < PROGRAMS; at++) {
        /* Not yet reaped, so the number cannot have been given to another process. */
        if (self->programs[at].pid && self->programs[at].token == token) {
            call2(SYS_KILL, self->programs[at].pid, number);
        }
    }
}

static void serve_kill(struct init *self, u32 token)
{
    int status;
    /* Again after each wait: what was just being forked may have missed the first. */
    while (call2(SYS_KILL, -1, SIGKILL_) != -ESRCH_) {
        i64 pid = call4(SYS_WAIT4, -1, &status, 0, 0);
        if (pid == -ECHILD_) {
            break;
        }
        if (pid > 0) {
            collect(self, (int)pid, status);
        }
        reap(self);
    }
    reap(self);
    report(self, 'K', token, 0);
}

/* Handle one request, or end with the supervisor. */
static void serve(struct init *self)
{
    u8 head[SPAWN_HEAD_BYTES] = {0};
    i64 size = call(SYS_RECVFROM, self->control, (i64)head, sizeof head, MSG_PEEK_ | MSG_TRUNC_, 0, 0);
    if (size == -EINTR_) {
        return;
    }
    if (size <= 0) {
        end(0);
    }
    if (head[0] == 'S' && size >= SPAWN_HEAD_BYTES) {
        serve_spawn(self, head, (u64)size);
        return;
    }
    call(SYS_RECVFROM, self->control, (i64)head, sizeof head, 0, 0, 0);
    if (head[0] == 'G' && size == SIGNAL_BYTES) {
        serve_signal(self, number32(head + 1), head[5]);
    } else if (head[0] == 'K' && size == KILL_BYTES) {
        serve_kill(self, number32(head + 1));
    } else if (head[0] == 'C' && size == CONNECT_BYTES) {
        serve_connect(self, number32(head + 1), number16(head + 5));
    }
}

/* Read the next number; what stands before it is a name or a space. */
static u32 parse(const char **at)
{
    u32 value = 0;
    while (**at && (**at < '0' || **at > '9')) {
        ++*at;
    }
    for (; **at >= '0' && **at <= '9'; ++*at) {
        value = value * 10 + (u32)(**at - '0');
    }
    return value;
}

/* Say that the sandbox stands, unless a predecessor has; see `confinement.py`. */
static void say_ready(struct init *self, int pidfd)
{
    u8 ready = 'R';
    struct vector vector = {&ready, sizeof ready};
    struct rights rights = {16 + sizeof(int), SOL_SOCKET_, SCM_RIGHTS_, {pidfd}};
    struct header header = {0, 0, &vector, 1, &rights, 24, 0};
    if (pidfd) {
        call3(SYS_SENDMSG, self->control, &header, MSG_NOSIGNAL_);
        call1(SYS_CLOSE, pidfd);
    }
}

static void inherit(struct init *self, const char **variables)
{
    int index = 0;
    self->control = (int)parse(&variables[0]);
    self->oom_score = (int)parse(&variables[1]);
    self->seat = (int)parse(&variables[2]);
    self->seated = (int)parse(&variables[2]);
    say_ready(self, (int)parse(&variables[3]));
    for (const char **next = variables + 4; *next && index < PROGRAMS; next++, index++) {
        self->programs[index].pid = (int)parse(next);
        self->programs[index].token = parse(next);
    }
    for (; index < PROGRAMS; index++) {
        self->programs[index].pid = 0;
    }
}

void begin(u64 *stack)
{
    struct init self;
    u64 child = 1ul << (SIGCHLD_ - 1);
    u8 ended[128];
    /* SECURITY: no process of the same user may look into PID 1 or steer it. The kernel sees to
       that already, as nobody may read this file; and it keeps the first over an exec. */
    call2(SYS_PRCTL, PR_SET_DUMPABLE_, 0);
    call2(SYS_PRCTL, PR_SET_PDEATHSIG_, SIGKILL_);
    call2(SYS_PRCTL, PR_SET_NAME_, "init");
    inherit(&self, (const char **)(stack + 1 + stack[0] + 1));
    call3(SYS_FCNTL, self.control, F_SETFD_, FD_CLOEXEC_);
    call3(SYS_FCNTL, self.oom_score, F_SETFD_, FD_CLOEXEC_);
    if (self.seat) {
        call3(SYS_FCNTL, self.seat, F_SETFD_, FD_CLOEXEC_);
    }
    call4(SYS_RT_SIGPROCMASK, SIG_BLOCK_, &child, 0, SIGNAL_SET_BYTES);
    self.children = (int)call4(SYS_SIGNALFD4, -1, &child, SIGNAL_SET_BYTES, NONBLOCK | CLOEXEC);
    if (self.children < 0) {
        end(1);
    }
    /* What has ended while nobody looked. */
    reap(&self);
    for (;;) {
        struct { int fd; short events, found; } polled[2] = {
            {self.control, POLLIN_, 0}, {self.children, POLLIN_, 0}};
        if (call(SYS_PPOLL, (i64)polled, 2, 0, 0, SIGNAL_SET_BYTES, 0) <= 0) {
            continue;
        }
        if (polled[1].found) {
            call3(SYS_READ, self.children, ended, sizeof ended);
            reap(&self);
        }
        if (polled[0].found) {
            serve(&self);
        }
    }
}
