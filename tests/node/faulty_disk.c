/* Preloaded into a process: notes in a log, in their order, what is done to the files of one folder, and makes writes
 * fail when told to. A record: operation, bytes of the name, offset, bytes of data (64 bits each), name, data. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

static const char *folder;
static int notes = -1;
static long left = -1; /* writes that still succeed; -1: all */
static int half;

__attribute__((constructor)) static void begin(void) {
    folder = getenv("FAULTY_FOLDER");
    if (getenv("FAULTY_NOTES"))
        notes = (int)syscall(SYS_openat, AT_FDCWD, getenv("FAULTY_NOTES"), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
}

/* From now on so many writes succeed, then half of one, then none; -1: all do. */
void fail_after(long writes) {
    left = writes;
    half = 1;
}

/* The part of a path below the folder, or NULL for others. */
static const char *inside(const char *path) {
    size_t size = folder ? strlen(folder) : 0;
    if (!size || strncmp(path, folder, size) || (path[size] && path[size] != '/')) return NULL;
    return path[size] ? path + size + 1 : path + size;
}

static const char *name_of(int fd, char *path) {
    char link[64];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t size = readlink(link, path, PATH_MAX - 1);
    if (size < 0) return NULL;
    path[size] = 0;
    return inside(path);
}

static void note(char what, const char *name, uint64_t offset, const void *data, uint64_t size) {
    if (notes < 0 || !name) return;
    uint64_t head[4] = {(uint64_t)what, strlen(name), offset, size};
    struct iovec parts[3] = {{head, sizeof head}, {(void *)name, head[1]}, {(void *)data, size}};
    syscall(SYS_writev, notes, parts, 3);
}

/* Whether a write finds no room; the first that does not find enough finds room for half. */
static int full(const char *name, size_t *size) {
    if (!name || left < 0) return 0;
    if (left > 0) {
        --left;
        return 0;
    }
    if (half && size && *size > 1) {
        half = 0;
        *size /= 2;
        return 0;
    }
    errno = ENOSPC;
    return 1;
}

ssize_t write(int fd, const void *data, size_t size) {
    char path[PATH_MAX];
    const char *name = name_of(fd, path);
    if (full(name, &size)) return -1;
    ssize_t done = syscall(SYS_write, fd, data, size);
    if (done > 0 && name) note('w', name, (uint64_t)(lseek(fd, 0, SEEK_CUR) - done), data, (uint64_t)done);
    return done;
}

ssize_t writev(int fd, const struct iovec *parts, int count) {
    char path[PATH_MAX];
    const char *name = name_of(fd, path);
    if (!name) return syscall(SYS_writev, fd, parts, count);
    size_t size = 0;
    for (int at = 0; at < count; ++at) size += parts[at].iov_len;
    char *whole = malloc(size + 1), *end = whole;
    if (!whole) return -1;
    for (int at = 0; at < count; end += parts[at++].iov_len) memcpy(end, parts[at].iov_base, parts[at].iov_len);
    ssize_t done = write(fd, whole, size);
    free(whole);
    return done;
}

ssize_t pwrite64(int fd, const void *data, size_t size, off_t offset) {
    char path[PATH_MAX];
    const char *name = name_of(fd, path);
    if (full(name, &size)) return -1;
    ssize_t done = syscall(SYS_pwrite64, fd, data, size, offset);
    if (done > 0) note('w', name, (uint64_t)offset, data, (uint64_t)done);
    return done;
}
ssize_t pwrite(int fd, const void *data, size_t size, off_t offset) { return pwrite64(fd, data, size, offset); }

int ftruncate64(int fd, off_t size) {
    char path[PATH_MAX];
    int done = (int)syscall(SYS_ftruncate, fd, size);
    if (!done) note('t', name_of(fd, path), (uint64_t)size, "", 0);
    return done;
}
int ftruncate(int fd, off_t size) { return ftruncate64(fd, size); }

/* Of the folder a sync is only noted: nobody takes this machine's power away. */
static int synced(int fd, long call) {
    char path[PATH_MAX];
    const char *name = name_of(fd, path);
    if (!name) return (int)syscall(call, fd);
    if (full(name, NULL)) return -1;
    note('s', name, 0, "", 0);
    return 0;
}
int fsync(int fd) { return synced(fd, SYS_fsync); }
int fdatasync(int fd) { return synced(fd, SYS_fdatasync); }

int rename(const char *from, const char *to) {
    int done = (int)syscall(SYS_rename, from, to);
    const char *name = inside(from), *other = inside(to);
    if (!done && name && other) note('r', name, 0, other, strlen(other));
    return done;
}

int unlink(const char *path) {
    int done = (int)syscall(SYS_unlink, path);
    if (!done) note('u', inside(path), 0, "", 0);
    return done;
}

int open64(const char *path, int flags, ...) {
    mode_t mode = 0;
    if (flags & O_CREAT) {
        va_list more;
        va_start(more, flags);
        mode = va_arg(more, mode_t);
        va_end(more);
    }
    int is_new = (flags & O_CREAT) && access(path, F_OK);
    int fd = (int)syscall(SYS_openat, AT_FDCWD, path, flags, mode);
    if (fd >= 0 && is_new) note('c', inside(path), 0, "", 0);
    else if (fd >= 0 && (flags & O_TRUNC)) note('t', inside(path), 0, "", 0);
    return fd;
}
int open(const char *path, int flags, ...) {
    mode_t mode = 0;
    if (flags & O_CREAT) {
        va_list more;
        va_start(more, flags);
        mode = va_arg(more, mode_t);
        va_end(more);
    }
    return open64(path, flags, mode);
}
