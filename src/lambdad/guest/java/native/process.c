/* Looks at a process whose threads have stopped: writes its memory out, and notes which system
 * calls bring back that, its files, and what the kernel knows of it. Refuses what no copy can have.
 */
#include "writer.h"

/* Fewer unused pages than this between two used ones are stored as well: a mapping costs more. */
#define GAP_PAGES 16
/* In /proc/self/pagemap. */
#define IN_USE (3UL << 62)
#define OF_FILE (1UL << 61)
#define ST_RDONLY 1
#define S_IFMT 0170000
#define S_IFDIR 0040000
#define WORK (AREA + AREA_WORK)
#define MORE_WORK (WORK + WORK_BYTES)

struct writer writer;

/* ---- writing */

static void say(const char *text)
{
    u64 n = length(writer.refusal);
    while (*text && n < sizeof writer.refusal - 1)
        writer.refusal[n++] = *text++;
    writer.refusal[n] = 0;
}

i64 refuse(const char *first, const char *name, const char *last)
{
    if (!writer.refusal[0]) {
        say(first);
        say(name);
        say(last);
    }
    return -1;
}

i64 put_out(u64 from, u64 bytes)
{
    while (bytes) {
        i64 result = call(WRITE, writer.output, from, bytes, 0);
        if (is_error(result))
            return refuse("The memory could not be written.", "", "");
        from += (u64)result;
        bytes -= (u64)result;
        writer.written += (u64)result;
    }
    return 0;
}

static i64 add6(u64 n, u64 a, u64 b, u64 c, u64 d, u64 e, u64 f, u64 expected)
{
    if (area->steps == STEPS_MAX)
        return refuse("Its memory is in too many pieces.", "", "");
    struct step *step = (struct step *)(AREA + AREA_STEPS) + area->steps++;
    *step = (struct step){n, {a, b, c, d, e, f}, expected};
    return 0;
}
/* One that must return 0. */
#define add(n, a, b, c, d) add6((n), (u64)(a), (u64)(b), (u64)(c), (u64)(d), 0, 0, 0)

/* Room for what a system call is given by address; 0 if there is none left. */
static char *room(u64 bytes)
{
    char *place = writer.next_text;
    if ((u64)place + bytes > AREA + AREA_TEXTS + TEXTS_BYTES) {
        refuse("It has too many files.", "", "");
        return 0;
    }
    writer.next_text += (bytes + 15) / 16 * 16;
    return place;
}

static char *keep(const char *text)
{
    u64 n = length(text) + 1;
    char *place = room(n);
    for (u64 i = 0; place && i < n; i++)
        place[i] = text[i];
    return place;
}

static i64 add_open(const char *path, u64 flags)
{
    const char *name = keep(path);
    return name ? add6(OPENAT, (u64)AT_FDCWD, (u64)name, flags, 0, 0, 0, ANY) : -1;
}

/* Read a file of /proc, to its end; an error if there is no room for it. */
static i64 read_whole(const char *path, char *to, u64 most)
{
    i64 file = call(OPENAT, AT_FDCWD, path, O_CLOEXEC, 0), place = 0, got;
    if (is_error(file))
        return file;
    while ((got = call(READ, file, to + place, most - 1 - (u64)place, 0)) > 0)
        place += got;
    call(CLOSE, file, 0, 0, 0);
    to[place] = 0;
    return got < 0 ? got : (u64)place >= most - 1 ? -7 : place;
}

/* Open a file when restoring, if it is there, and the same, in all environments; 1 if it is not.
 * `inode` is 0 if any will do. */
static i64 reopen(const char *path, u64 inode, u64 flags)
{
    u64 status[18], system[15];
    i64 file = call(OPENAT, AT_FDCWD, path, O_CLOEXEC, 0);
    if (is_error(file))
        return 1;
    i64 result = call(FSTAT, file, status, 0, 0) || call(FSTATFS, file, system, 0, 0);
    call(CLOSE, file, 0, 0, 0);
    if (result || !(system[10] & ST_RDONLY) || (inode && status[1] != inode))
        return 1;
    if (add_open(path, flags))
        return -1;
    /* st_mode, st_ino, st_size, st_mtim: on the host it can be replaced, by an upgrade. */
    if ((status[3] & S_IFMT) == S_IFDIR)
        return 0;
    return add(CHECK, status[1], status[6], status[11], status[12]);
}

/* ---- memory */

struct region {
    u64 start, bytes, protection, offset, inode;
    int shared;
    const char *path;
};

/* Have pages mapped, or copied to where something is mapped already. */
static i64 add_run(const struct region *region, u64 start, u64 bytes, u64 at)
{
    u64 protection = region->protection;
    if (bytes >= GAP_PAGES * PAGE && !(protection & EXECUTABLE))
        return add6(MMAP, start, bytes, protection, PRIVATE_FIXED, IMAGE_FD, at, start);
    /* A mapping costs more; and the image may lie where nothing may be executed. */
    int closed = !(protection & WRITABLE);
    return (closed && add(MPROTECT, start, bytes, protection | WRITABLE, 0)) ||
           add6(PREAD, IMAGE_FD, start, bytes, at, 0, 0, bytes) ||
           (closed && add(MPROTECT, start, bytes, protection, 0));
}

static i64 store_run(const struct region *region, u64 start, u64 bytes)
{
    u64 at = writer.written;
    int closed = !(region->protection & READABLE);
    if (closed && call(MPROTECT, start, bytes, region->protection | READABLE, 0))
        return refuse("Memory cannot be read.", "", "");
    i64 result = put_out(start, bytes);
    if (closed)
        call(MPROTECT, start, bytes, region->protection, 0);
    return result || add_run(region, start, bytes, at);
}

/* Store those pages that differ from what is mapped without them: nothing, or a file. */
static i64 store_used(const struct region *region, int of_file)
{
    const u64 *entries = (u64 *)MORE_WORK;
    u64 most = WORK_BYTES / sizeof *entries, pages = region->bytes / PAGE;
    u64 run = 0, run_pages = 0, gap = of_file ? 1 : GAP_PAGES;
    for (u64 page = 0; page < pages; page++) {
        if (page % most == 0) {
            u64 bytes = (pages - page < most ? pages - page : most) * sizeof *entries;
            u64 place = (region->start / PAGE + page) * sizeof *entries;
            if (call(PREAD, writer.pagemap, entries, bytes, place) != (i64)bytes)
                return refuse("/proc/self/pagemap cannot be read.", "", "");
        }
        u64 entry = entries[page % most];
        if (!(entry & IN_USE) || (of_file && entry & OF_FILE))
            continue;
        if (run_pages && page - (run + run_pages) < gap) {
            run_pages = page + 1 - run;
            continue;
        }
        if (run_pages && store_run(region, region->start + run * PAGE, run_pages * PAGE))
            return -1;
        run = page;
        run_pages = 1;
    }
    return run_pages ? store_run(region, region->start + run * PAGE, run_pages * PAGE) : 0;
}

static i64 store_region(const struct region *region)
{
    u64 start = region->start, bytes = region->bytes, kind = PRIVATE_FIXED;
    i64 of_file = *region->path == '/' ? reopen(region->path, region->inode, O_CLOEXEC) : 1;
    if (of_file < 0)
        return -1;
    of_file = !of_file;
    if (region->shared) {
        if (!of_file || region->protection & WRITABLE)
            return refuse("Memory is shared (", *region->path ? region->path : "no file", ").");
        kind = SHARED_FIXED;
    }
    if (!of_file)
        kind |= ANONYMOUS | NORESERVE;
    u64 file = of_file ? OPENED : ANY, offset = of_file ? region->offset : 0;
    i64 result = add6(MMAP, start, bytes, region->protection, kind, file, offset, start) ||
                 (of_file && add(CLOSE, OPENED, 0, 0, 0));
    return result || region->shared ? result : store_used(region, (int)of_file);
}

/* Read a line of /proc/self/maps, and return where the next one begins. */
static const char *read_region(const char *line, struct region *region)
{
    region->start = number(&line, 16);
    line++;
    region->bytes = number(&line, 16) - region->start;
    region->protection = 0;
    for (u64 bit = 0; bit < 3; bit++)
        region->protection |= line[1 + bit] != '-' ? 1UL << bit : 0;
    region->shared = line[4] == 's';
    line += 6;
    region->offset = number(&line, 16);
    for (int part = 0; part < 2; part++) { /* of the device */
        line++;
        number(&line, 16);
    }
    line++;
    region->inode = number(&line, 10);
    while (*line == ' ')
        line++;
    region->path = line;
    while (*line && *line != '\n')
        line++;
    if (*line)
        *(char *)line++ = 0;
    return line;
}

static i64 store_memory(void)
{
    const char *line = (char *)WORK;
    if (is_error(read_whole("/proc/self/maps", (char *)WORK, WORK_BYTES)))
        return refuse("/proc/self/maps cannot be read.", "", "");
    while (*line) {
        struct region region;
        line = read_region(line, &region);
        if (region.start >= LAST_ADDRESS || (region.start >= PLACE && region.start < PLACE_END))
            continue;
        if (starts(region.path, "[vvar") || starts(region.path, "[vdso")) {
            if (area->vdso_count == 4)
                return refuse("The pages of this kernel are unknown.", "", "");
            area->vdso[area->vdso_count++] = (struct mapping){region.start, region.bytes};
        } else if (store_region(&region)) {
            return -1;
        }
    }
    return 0;
}

/* Kernels can be built so that their own pages stay where they are (MSEAL_SYSTEM_MAPPINGS). */
static i64 check_moving(void)
{
    for (u64 i = 0; i < area->vdso_count; i++) {
        u64 start = area->vdso[i].start, bytes = area->vdso[i].bytes;
        if (is_error(call6(MREMAP, start, bytes, bytes, MAYMOVE_FIXED, ASIDE, 0)))
            return refuse("The pages of this kernel cannot be moved.", "", "");
        call6(MREMAP, ASIDE, bytes, bytes, MAYMOVE_FIXED, start, 0);
    }
    return 0;
}

/* ---- descriptors */

static int is_device(const char *path)
{
    static const char names[5][16] = {
        "/dev/null", "/dev/zero", "/dev/full", "/dev/random", "/dev/urandom"};
    for (int i = 0; i < 5; i++)
        if (starts(path, names[i]) && length(path) == length(names[i]))
            return 1;
    return 0;
}

/* A connection is broken in a copy, as if its other end had closed it. */
static i64 store_socket(u64 fd, u64 flags)
{
    /* SO_DOMAIN, SO_TYPE, SO_ACCEPTCONN; AF_UNIX, AF_INET, AF_INET6; SOCK_STREAM; POLLHUP */
    static const unsigned char options[3] = {39, 3, 30};
    int values[3] = {0}, bytes = sizeof *values;
    struct {
        int fd;
        short events, revents;
    } poll = {(int)fd, 0, 0};
    for (int i = 0; i < 3; i++)
        call6(GETSOCKOPT, fd, 1, options[i], (u64)&values[i], (u64)&bytes, 0);
    call(POLL, &poll, 1, 0, 0);
    if (values[2])
        return refuse("A socket listens.", "", "");
    int internet = values[0] == 2 || values[0] == 10;
    /* The JDK keeps one of these, to put it in the place of sockets that are closed. */
    int left_over = values[0] == 1 && poll.revents & 16;
    if (values[1] != 1 || !(internet || left_over))
        return refuse("A socket is open.", "", "");
    return add(BROKEN, fd, flags, 0, 0);
}

static i64 store_file(u64 fd, const char *path, u64 mode, u64 close_on_exec)
{
    if (is_device(path)) {
        if (add_open(path, mode))
            return -1;
        return add(PUT, fd, close_on_exec, 0, 0);
    }
    if (mode & 3)
        return refuse("The file ", path, " is open to be written to.");
    i64 result = reopen(path, 0, mode & O_DIRECTORY);
    if (result)
        return result < 0 ? result : refuse("The file ", path, " is open, which no copy has.");
    if (add(PUT, fd, close_on_exec, 0, 0))
        return -1;
    i64 position = call(LSEEK, fd, 0, 1, 0);
    if (position <= 0)
        return 0;
    return add6(LSEEK, fd, (u64)position, 0, 0, 0, 0, (u64)position);
}

/* Where a descriptor is described, below /proc/self. */
static void describe(char *to, const char *directory, u64 fd)
{
    u64 digits = 1, end = 0;
    for (u64 rest = fd; rest >= 10; rest /= 10)
        digits++;
    while ((*to = *directory++))
        to++;
    for (end = digits; end; fd /= 10)
        to[--end] = (char)('0' + fd % 10);
    to[digits] = 0;
}

/* What stands behind a word; moves behind that, or returns 0 and leaves the place alone. */
static int read_number(const char **text, const char *word, u64 base, u64 *value)
{
    const char *at = *text;
    while (*at && !starts(at, word))
        at++;
    if (!*at)
        return 0;
    at += length(word);
    while (*at == ' ' || *at == '\t')
        at++;
    *value = number(&at, base);
    *text = at;
    return 1;
}

static const char *read_details(u64 fd)
{
    char path[48], *text = (char *)WORK;
    describe(path, "/proc/self/fdinfo/", fd);
    if (is_error(read_whole(path, text, WORK_BYTES)))
        *text = 0;
    return text;
}

static i64 store_counter(u64 fd, u64 flags)
{
    const char *text = read_details(fd);
    u64 count = 0, semaphore = 0;
    if (!read_number(&text, "eventfd-count:", 16, &count) || count >> 32)
        return refuse("An eventfd is open that cannot be read.", "", "");
    read_number(&text, "eventfd-semaphore:", 10, &semaphore);
    return add6(EVENTFD, count, flags | semaphore, 0, 0, 0, 0, ANY) ||
           add(PUT, fd, flags & O_CLOEXEC, 0, 0);
}

/* What an epoll watches, once all descriptors are there. */
static i64 store_watches(u64 fd)
{
    const char *text = read_details(fd);
    u64 watched, events, data, inode, status[18];
    while (read_number(&text, "tfd:", 10, &watched) && read_number(&text, "events:", 16, &events) &&
           read_number(&text, "data:", 16, &data) && read_number(&text, "ino:", 16, &inode)) {
        unsigned *event = (unsigned *)room(12);
        if (!event)
            return -1;
        if (call(FSTAT, watched, status, 0, 0) || status[1] != inode)
            return refuse("An epoll watches what is closed.", "", "");
        event[0] = (unsigned)events;
        event[1] = (unsigned)data;
        event[2] = (unsigned)(data >> 32);
        if (add(EPOLL_CTL, fd, 1, watched, event))
            return -1;
    }
    return 0;
}

/* WATCHES if it is an epoll, and what it watches is to follow. */
#define WATCHES 2
static i64 store_descriptor(u64 fd)
{
    char link[48], *path = (char *)MORE_WORK;
    describe(link, "/proc/self/fd/", fd);
    i64 got = call(READLINK, link, path, 4095, 0);
    if (is_error(got))
        return refuse("A descriptor cannot be read.", "", "");
    path[got] = 0;
    u64 mode = (u64)call(FCNTL, fd, 3, 0, 0);
    u64 close_on_exec = call(FCNTL, fd, 1, 0, 0) & 1 ? O_CLOEXEC : 0;
    u64 flags = (mode & O_NONBLOCK) | close_on_exec;
    if (starts(path, "socket:"))
        return store_socket(fd, flags);
    if (starts(path, "anon_inode:[eventfd]"))
        return store_counter(fd, flags);
    if (starts(path, "anon_inode:[eventpoll]")) {
        i64 result = add6(EPOLL_CREATE, close_on_exec, 0, 0, 0, 0, 0, ANY) ||
                     add(PUT, fd, close_on_exec, 0, 0);
        return result ? result : WATCHES;
    }
    if (path[0] != '/')
        return refuse("Something is open that no copy has (", path, ").");
    /* O_LARGEFILE is not asked for. */
    return store_file(fd, path, mode & ~0100000UL, close_on_exec);
}

static i64 store_descriptors(void)
{
    char *entries = (char *)WORK;
    unsigned short found[IMAGE_FD];
    u64 count = 0;
    i64 got;
    while ((got = call(GETDENTS, writer.descriptors, entries, 65536, 0)) > 0)
        for (i64 at = 0; at < got; at += *(const unsigned short *)(entries + at + 16)) {
            const char *name = entries + at + 19;
            u64 fd = *name == '.' ? 0 : number(&name, 10);
            /* Who takes the snapshot on has its own of the first. */
            if (fd <= ASSIGNMENT_FD || fd == writer.output || fd == writer.pagemap ||
                fd == writer.descriptors)
                continue;
            if (fd >= IMAGE_FD || count == IMAGE_FD)
                return refuse("It has too many files open.", "", "");
            found[count++] = (unsigned short)fd;
        }
    if (is_error(got))
        return refuse("/proc/self/fd cannot be read.", "", "");
    u64 epolls = 0;
    for (u64 i = 0; i < count; i++) {
        i64 result = store_descriptor(found[i]);
        if (result == WATCHES)
            found[epolls++] = found[i];
        else if (result)
            return -1;
    }
    for (u64 i = 0; i < epolls; i++)
        if (store_watches(found[i]))
            return -1;
    return 0;
}

/* ---- what the kernel knows of the process */

static i64 store_place(void)
{
    char *path = (char *)WORK;
    i64 got = call(READLINK, "/proc/self/cwd", path, 4095, 0);
    if (is_error(got))
        return refuse("The working directory is unknown.", "", "");
    path[got] = 0;
    i64 result = reopen(path, 0, O_DIRECTORY);
    if (result)
        return result < 0 ? -1 : refuse("The working directory is ", path, ", which no copy has.");
    const char *name = keep(path);
    u64 mask = (u64)call(UMASK, 077, 0, 0, 0);
    call(UMASK, mask, 0, 0, 0);
    return !name || add(CLOSE, OPENED, 0, 0, 0) || add(CHDIR, name, 0, 0, 0) ||
           add6(UMASK, mask, 0, 0, 0, 0, 0, ANY);
}

static i64 store_signals_and_limits(void)
{
    for (u64 signal = 1; signal <= 64; signal++) {
        if (signal == 9 || signal == 19) /* SIGKILL, SIGSTOP */
            continue;
        char *place = room(32);
        if (!place || call(SIGACTION, signal, 0, place, 8) || add(SIGACTION, signal, place, 0, 8))
            return refuse("Signals are unknown.", "", "");
    }
    for (u64 limit = 0; limit < 16; limit++) {
        char *place = room(16);
        if (!place || call(PRLIMIT, 0, limit, 0, place) || add(PRLIMIT, 0, limit, place, 0))
            return refuse("Limits are unknown.", "", "");
    }
    return 0;
}

/* Where the process has its program, arguments and heap: fields of /proc/self/stat, see proc(5). */
static i64 note_places(void)
{
    static const unsigned char fields[11] = {26, 27, 45, 46, 47, 0, 28, 48, 49, 50, 51};
    u64 values[53] = {0};
    char *text = (char *)WORK;
    unsigned bytes = 0;
    if (call(PRCTL, PR_SET_MM, PR_SET_MM_MAP_SIZE, &bytes, 0) || bytes != 104)
        return refuse("This kernel restores no processes (CONFIG_CHECKPOINT_RESTORE).", "", "");
    i64 got = read_whole("/proc/self/stat", text, 4096);
    if (is_error(got))
        return refuse("/proc/self/stat cannot be read.", "", "");
    while (got && text[got] != ')')
        got--;
    const char *at = text + got + 4; /* ") S " */
    for (int field = 4; field < 53 && *at; field++) {
        at += *at == '-';
        values[field] = number(&at, 10);
        at += *at == ' ';
    }
    for (int i = 0; i < 11; i++)
        area->mm[i] = values[fields[i]];
    area->mm[5] = (u64)call(BRK, 0, 0, 0, 0);
    return 0;
}

/* How many entries a directory has, or how many begin with a digit; -1 if it is unreadable. */
static i64 entries_of(const char *path, int numbers)
{
    char *entries = (char *)WORK;
    i64 directory = call(OPENAT, AT_FDCWD, path, O_DIRECTORY | O_CLOEXEC, 0), got, count = 0;
    if (is_error(directory))
        return -1;
    while ((got = call(GETDENTS, directory, entries, 65536, 0)) > 0)
        for (i64 at = 0; at < got; at += *(const unsigned short *)(entries + at + 16)) {
            const char *name = entries + at + 19;
            int dots = name[0] == '.' && (!name[1] || (name[1] == '.' && !name[2]));
            count += numbers ? *name >= '0' && *name <= '9' : !dots;
        }
    call(CLOSE, directory, 0, 0, 0);
    return is_error(got) ? -1 : count;
}

static i64 check_process(void)
{
    u64 timer[4];
    /* PID 1 and this one. */
    if (entries_of("/proc", 1) != 2)
        return refuse("Other processes are running that it has started.", "", "");
    for (u64 clock = 0; clock < 3; clock++)
        if (call(GETITIMER, clock, timer, 0, 0) || timer[2] || timer[3])
            return refuse("A timer is running (setitimer).", "", "");
    if (read_whole("/proc/self/timers", (char *)WORK, 4096) > 0)
        return refuse("A timer is running (timer_create).", "", "");
    if (entries_of("/tmp", 0) != 0)
        return refuse("There are files in /tmp, which no copy has.", "", "");
    return 0;
}

i64 store_process(void)
{
    writer.next_text = (char *)AREA + AREA_TEXTS;
    return check_process() || note_places() || store_memory() || check_moving() ||
           store_descriptors() || store_place() || store_signals_and_limits();
}
