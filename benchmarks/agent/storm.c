/* An exec storm at a fixed rate: each process is this program again, with a command line that carries a
 * number and an end mark, so that "seen whole" can be told from "seen". Prints how many ran and how long it
 * took. exec_storm RATE SECONDS TAG */
#define _GNU_SOURCE
#include <errno.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>

static double now(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

int main(int argc, char** argv) {
    if (argc > 1 && strcmp(argv[1], "--child") == 0) return 0;
    if (argc != 4) {
        fprintf(stderr, "usage: exec_storm RATE SECONDS TAG\n");
        return 2;
    }
    const double rate = atof(argv[1]);
    const long total = (long)(rate * atof(argv[2]));
    char number[32];
    char* child[] = {argv[0], "--child",     argv[3], "an-argument-of-some-length-as-real-programs-have",
                     number,  "end-of-line", NULL};
    const double begin = now();
    long started = 0;
    for (long i = 0; i < total; ++i) {
        const double due = begin + (double)i / rate;
        while (now() < due) {
            struct timespec wait = {0, 200000};
            nanosleep(&wait, NULL);
        }
        snprintf(number, sizeof(number), "%ld", i);
        pid_t pid;
        if (posix_spawn(&pid, "/proc/self/exe", NULL, NULL, child, NULL) == 0) ++started;
        while (waitpid(-1, NULL, WNOHANG) > 0) {
        }
    }
    while (wait(NULL) > 0 || errno == EINTR) {
    }
    const double seconds = now() - begin;
    printf("{\"started\":%ld,\"seconds\":%.3f,\"rate\":%.1f}\n", started, seconds, (double)started / seconds);
    return 0;
}
