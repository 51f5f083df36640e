/* The wall clock of one process, off by WRONG_CLOCK_OFF seconds. The monotonic clock stays right, as
 * on a machine whose time was set wrongly. Preloaded. libfaketime 0.9.10 does not handle
 * cnd_timedwait, which librdkafka uses: under it a producer whose clock is a day ahead waits a day.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <threads.h>
#include <time.h>
#include <unistd.h>

static long off;

__attribute__((constructor)) static void read_off(void)
{
    const char *text = getenv("WRONG_CLOCK_OFF");
    off = text ? atol(text) : 0;
}

int clock_gettime(clockid_t clock, struct timespec *at)
{
    int failed = (int)syscall(SYS_clock_gettime, clock, at);
    if (!failed && (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE))
        at->tv_sec += off;
    return failed;
}

int gettimeofday(struct timeval *restrict at, void *restrict zone)
{
    int failed = (int)syscall(SYS_gettimeofday, at, zone);
    if (!failed)
        at->tv_sec += off;
    return failed;
}

time_t time(time_t *at)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    if (at)
        *at = now.tv_sec;
    return now.tv_sec;
}

/* A wait until an instant of the wrong clock lasts until the same instant of the right clock. A small
 * instant belongs to the monotonic clock.
 */
static clockid_t meant(const struct timespec *until, struct timespec *right)
{
    *right = *until;
    if (until->tv_sec < 1000000000)
        return CLOCK_MONOTONIC;
    right->tv_sec -= off;
    return CLOCK_REALTIME;
}

int pthread_cond_timedwait(pthread_cond_t *restrict cond, pthread_mutex_t *restrict mutex,
                           const struct timespec *restrict until)
{
    struct timespec right;
    clockid_t clock = meant(until, &right);
    return pthread_cond_clockwait(cond, mutex, clock, &right);
}

int cnd_timedwait(cnd_t *restrict cond, mtx_t *restrict mutex,
                  const struct timespec *restrict until)
{
    /* In glibc they are the same objects. */
    int failed = pthread_cond_timedwait((pthread_cond_t *)cond, (pthread_mutex_t *)mutex, until);
    return failed == 0 ? thrd_success : failed == ETIMEDOUT ? thrd_timedout : thrd_error;
}

int pthread_mutex_timedlock(pthread_mutex_t *restrict mutex, const struct timespec *restrict until)
{
    struct timespec right;
    clockid_t clock = meant(until, &right);
    return pthread_mutex_clocklock(mutex, clock, &right);
}

int sem_timedwait(sem_t *restrict sem, const struct timespec *restrict until)
{
    struct timespec right;
    clockid_t clock = meant(until, &right);
    return sem_clockwait(sem, clock, &right);
}
