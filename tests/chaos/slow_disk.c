/* Preloaded into a process: every sync of a file waits first, for as many milliseconds as SLOW_DISK's first four bytes
 * say. Whoever wants another wait writes them anew. */
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

static volatile const uint32_t *wait_ms;

__attribute__((constructor)) static void begin(void) {
    const char *path = getenv("SLOW_DISK");
    int fd = path ? open(path, O_RDONLY | O_CLOEXEC) : -1;
    void *page = fd < 0 ? MAP_FAILED : mmap(NULL, sizeof *wait_ms, PROT_READ, MAP_SHARED, fd, 0);
    if (fd >= 0) close(fd);
    if (page == MAP_FAILED) _exit(121);
    wait_ms = page;
}

static int sync_late(int fd, long call) {
    uint32_t ms = *wait_ms;
    struct timespec left = {ms / 1000, (ms % 1000) * 1000000L};
    while (ms && nanosleep(&left, &left)) {}
    return (int)syscall(call, fd);
}
int fsync(int fd) { return sync_late(fd, SYS_fsync); }
int fdatasync(int fd) { return sync_late(fd, SYS_fdatasync); }
