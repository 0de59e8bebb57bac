/*
 * The beginning of a sandbox's first process, called by the launcher (`sandbox/steps.py`), which
 * maps the file that this is linked into.
 *
 * A fork of the launcher would copy the map of all its memory, only to execute a small program.
 * This one shares the memory until then, as `vfork` does, and the launcher waits. What the process
 * does is written down by the launcher: a table of system calls, made one after the other; nothing
 * is decided here. At one place of the table it may fork: that child is a copy of the launcher, in
 * the sandbox, which goes on where the launcher called.
 */

#include "calls.h"

enum { CLONE_VM_ = 0x100, CLONE_VFORK_ = 0x4000, CLONE_NEWPID_ = 0x20000000, SIGCHLD_ = 17 };
enum { ARGUMENTS = 6, FORK = -1, EAGAIN_ = 11 };

/* `sandbox/steps.py` lays it out. Bit n of `earlier`: argument n is the number of the step whose
   result is meant. An error of the number `tolerated` is none. */
struct step { i64 number, arguments[ARGUMENTS], earlier, tolerated, result; };

/* Returns in the forked child alone. */
static __attribute__((noinline)) i64 follow(
    struct step *steps, u64 count, volatile u64 *at, int (*fork)(void))
{
    for (u64 index = 0; index < count; index++) {
        struct step *step = &steps[index];
        i64 given[ARGUMENTS];
        *at = index;
        for (int n = 0; n < ARGUMENTS; n++) {
            given[n] = step->arguments[n];
            if (step->earlier >> n & 1) {
                given[n] = steps[given[n]].result;
            }
        }
        if (step->number == FORK) {
            step->result = fork();
            if (step->result == 0) {
                return 0;
            }
            if (step->result < 0) {
                step->result = -EAGAIN_;
            }
        } else {
            step->result = call(
                step->number, given[0], given[1], given[2], given[3], given[4], given[5]);
        }
        if (step->result < 0 && step->result != -step->tolerated) {
            break;
        }
    }
    for (;;) {
        call(SYS_EXIT_GROUP, 1, 0, 0, 0, 0, 0);
    }
}

/* Begin the first process of a new PID namespace. The last step is to execute a program; what the
   last one at all was is left in `at`. `fork` is the C library's. Returns 0 in the forked child,
   else the pid, or what went wrong. */
i64 launch(struct step *steps, u64 count, volatile u64 *at, int (*fork)(void))
{
    i64 flags = CLONE_VM_ | CLONE_VFORK_ | CLONE_NEWPID_ | SIGCHLD_;
    i64 pid = call(SYS_CLONE, flags, 0, 0, 0, 0, 0);
    if (pid == 0) {
        pid = follow(steps, count, at, fork);
        /* No jump instead of a call: what stands on the stack here is the launcher's, too. */
        __asm__ volatile("" : "+r"(pid));
    }
    return pid;
}
