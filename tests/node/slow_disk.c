/* Preloaded into a process: from `slow_disk(path)` on every sync of a file waits first, for as many milliseconds as the
 * first four bytes of that file say. Whoever wants another wait writes them anew. */
#include <fcntl.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

static const uint32_t none;
static volatile const uint32_t *wait_ms = &none;

/* 0, or -1 where there is no such file. */
int slow_disk(const char *path) {
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) return -1;
    void *page = mmap(NULL, sizeof *wait_ms, PROT_READ, MAP_SHARED, fd, 0);
    close(fd);
    if (page == MAP_FAILED) return -1;
    wait_ms = page;
    return 0;
}

static int sync_late(int fd, long call) {
    uint32_t ms = *wait_ms;
    struct timespec left = {ms / 1000, (ms % 1000) * 1000000L};
    while (ms && nanosleep(&left, &left)) {}
    return (int)syscall(call, fd);
}
int fsync(int fd) { return sync_late(fd, SYS_fsync); }
int fdatasync(int fd) { return sync_late(fd, SYS_fdatasync); }
