/*
 * A clock to step, preloaded into a server under test.
 *
 * The file named by OC_KV_TEST_CLOCK holds two numbers of 8 bytes, in nanoseconds and in the
 * machine's byte order: the wall time at which the clock is frozen (0 lets it run), and the offset
 * added to every clock. The monotonic clocks are never frozen, so that event loops stay alive.
 *
 * The real time comes from the system call: looking up the C library's function may allocate, and
 * an allocator may ask for the time while it starts.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#define SECOND 1000000000LL

static const int64_t real_time[2];
static const volatile int64_t *words = real_time;

__attribute__((constructor)) static void map_words(void) {
    const char *path = getenv("OC_KV_TEST_CLOCK");
    int file = path ? open(path, O_RDONLY | O_CLOEXEC) : -1;
    void *map = file < 0 ? MAP_FAILED : mmap(NULL, 16, PROT_READ, MAP_SHARED, file, 0);
    if (map == MAP_FAILED) _exit(97);
    close(file);
    words = map;
}

int clock_gettime(clockid_t id, struct timespec *now) {
    int result = (int)syscall(SYS_clock_gettime, id, now);
    int wall = id == CLOCK_REALTIME || id == CLOCK_REALTIME_COARSE;
    int monotonic = id == CLOCK_MONOTONIC || id == CLOCK_MONOTONIC_RAW ||
                    id == CLOCK_MONOTONIC_COARSE || id == CLOCK_BOOTTIME;
    if (result != 0 || !(wall || monotonic)) return result;
    int64_t base = now->tv_sec * SECOND + now->tv_nsec;
    if (wall && words[0] != 0) base = words[0];
    base += words[1];
    now->tv_sec = base / SECOND;
    now->tv_nsec = base % SECOND;
    return 0;
}

int gettimeofday(struct timeval *restrict now, void *restrict zone) {
    struct timespec precise;
    (void)zone;
    if (clock_gettime(CLOCK_REALTIME, &precise) != 0) return -1;
    now->tv_sec = precise.tv_sec;
    now->tv_usec = precise.tv_nsec / 1000;
    return 0;
}

time_t time(time_t *now) {
    struct timespec precise;
    if (clock_gettime(CLOCK_REALTIME, &precise) != 0) return (time_t)-1;
    if (now != NULL) *now = precise.tv_sec;
    return precise.tv_sec;
}
