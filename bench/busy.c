/* busy: what two threads cost when somebody else wants a processor.
 *
 *   make bench-busy        all of it
 *   build/busy [--rounds N] [--seconds S] [--threads N] [--text FILE] [--json FILE] [WORD]
 *                          some of it: networks whose name holds WORD
 *
 * Every network of bench/tasks.h and a small one, on one thread and on N (default: two), alone and
 * beside processes that only count, one for each processor but one. They are not bound to a processor.
 * The four kinds take turns, S seconds each (default .4), in N rounds (default 5). A figure is the
 * median of its rounds, a ratio the median of the rounds' ratios; the worst round stands behind it. The
 * last lines: 256 threads, which are far more than there are processors. */
#define _DEFAULT_SOURCE
#define _POSIX_C_SOURCE 200809L
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#define VAE_IMPLEMENTATION
#include "../vae.h"
#include "../tools/digits.h"
#include "race.h"
#include "tasks.h"

enum { ROUNDS = 99, LOOPS = 255 };
static const task small = {"small", "784-40-20 step, batch 16", "dense 40 relu", STEP, 16, 20, 1, 0,
                           NULL};

/* ---- the others ---- */

static pid_t loops[LOOPS];
static int loop_count;

static void begin_loops(void) {
    const long processors = sysconf(_SC_NPROCESSORS_ONLN);
    const int wanted = processors > LOOPS ? LOOPS : processors > 2 ? (int)processors - 1 : 1;
    const pid_t parent = getpid();
    for (loop_count = 0; loop_count < wanted; loop_count++) {
        const pid_t child = fork();
        if (child < 0) fail("a process cannot be started");
        if (!child) {
            volatile unsigned long n = 0;
            for (;;)
                if (!(++n & 0xffffff) && getppid() != parent) _exit(0); /* nobody ended it */
        }
        loops[loop_count] = child;
    }
}
static void end_loops(void) {
    while (loop_count) {
        kill(loops[--loop_count], SIGKILL);
        waitpid(loops[loop_count], NULL, 0);
    }
}

/* ---- measuring ---- */

/* Seconds of one run of the task, over `seconds` of them. */
static double time_task(runner *r, double seconds) {
    const double begin = seconds_of(CLOCK_MONOTONIC);
    double now = begin;
    size_t runs = 0;
    do {
        run_task(r);
        runs++;
        now = seconds_of(CLOCK_MONOTONIC);
    } while (now - begin < seconds);
    return (now - begin) / (double)runs;
}

static double median(double *x, int count) {
    qsort(x, (size_t)count, sizeof *x, by_value);
    return count % 2 ? x[count / 2] : (x[count / 2 - 1] + x[count / 2]) / 2;
}

static int rounds = 5, threads = 2;
static double seconds = 0.4;

/* One network; adds the logarithms of its ratios alone and beside others to sums[0] and sums[1].
 * 0: it cannot be divided. */
static int row(const task *t, double *sums) {
    static double times[4][ROUNDS], ratios[2][ROUNDS];
    double mid[4], ratio[2];
    runner r[2];
    char what[96];
    int kind, round;
    if (begin_task(&r[1], t, VAE_ISA_AUTO, threads)) return 0;
    begin_task(&r[0], t, VAE_ISA_AUTO, 1);
    for (round = -1; round < rounds; round++) {
        for (kind = 0; kind < 4; kind++) { /* alone: 0 and 1; beside others: 2 and 3 */
            double time;
            if (kind == 2) begin_loops(), usleep(20000);
            time = time_task(&r[kind & 1], round < 0 ? seconds / 8 : seconds);
            if (kind == 3) end_loops();
            if (round >= 0) times[kind][round] = time;
        }
        for (kind = 0; kind < 2 && round >= 0; kind++)
            ratios[kind][round] = times[2 * kind + 1][round] / times[2 * kind][round];
    }
    for (kind = 0; kind < 4; kind++) mid[kind] = median(times[kind], rounds);
    for (kind = 0; kind < 2; kind++) {
        ratio[kind] = median(ratios[kind], rounds);
        sums[kind] += log(ratio[kind]);
    }
    snprintf(what, sizeof what, t->what, pixels_name);
    say("  %-34s %9.1f %9.1f %6.2f (%.2f) %9.1f %9.1f %6.2f (%.2f)\n", what, mid[0] * 1e6,
        mid[1] * 1e6, ratio[0], ratios[0][rounds - 1], mid[2] * 1e6, mid[3] * 1e6, ratio[1],
        ratios[1][rounds - 1]);
    if (json) {
        static const char *const names[] = {"one", "several", "one_busy", "several_busy"};
        fprintf(json_row(t->name), ", \"threads\": %d", threads);
        for (kind = 0; kind < 4; kind++) json_time(names[kind], times[kind][0], mid[kind]);
        for (kind = 0; kind < 2; kind++)
            fprintf(json, ", \"ratio%s\": %.4g", kind ? "_busy" : "", ratio[kind]);
        fputs("}", json);
    }
    fflush(stdout);
    vae_destroy(r[0].model), vae_destroy(r[1].model);
    return 1;
}

/* The small network on 256 threads, alone. */
static void many(void) {
    runner one, all;
    double times[2][ROUNDS];
    int round;
    if (begin_task(&all, &small, VAE_ISA_AUTO, VAE_MAX_THREADS)) return;
    begin_task(&one, &small, VAE_ISA_AUTO, 1);
    for (round = 0; round < rounds; round++) {
        times[0][round] = time_task(&one, seconds / 2);
        times[1][round] = time_task(&all, seconds / 2);
    }
    say("\n%s: one thread %.1f us, %d threads %.1f us\n", small.what,
        median(times[0], rounds) * 1e6, VAE_MAX_THREADS, median(times[1], rounds) * 1e6);
    vae_destroy(one.model), vae_destroy(all.model);
}

int main(int argc, char **argv) {
    const double begin = seconds_of(CLOCK_MONOTONIC);
    const char *word = NULL;
    double sums[2] = {0, 0};
    int i, rows = 0;
    for (i = 1; i < argc; i++) {
        const char *value = i + 1 < argc ? argv[i + 1] : NULL;
        if (argv[i][0] != '-') word = argv[i];
        else if (!value) fail("usage: busy [--rounds N] [--seconds S] [--threads N] [--text FILE] "
                              "[--json FILE] [WORD]");
        else if (!strcmp(argv[i], "--rounds")) rounds = atoi(value), i++;
        else if (!strcmp(argv[i], "--seconds")) seconds = atof(value), i++;
        else if (!strcmp(argv[i], "--threads")) threads = atoi(value), i++;
        else if (!strcmp(argv[i], "--text")) race_text = open_result(value), i++;
        else if (!strcmp(argv[i], "--json")) json = open_result(value), i++;
        else fail("unknown option");
    }
    if (rounds < 1 || rounds > ROUNDS) fail("--rounds: 1 to 99");
    if (threads < 2 || threads > VAE_MAX_THREADS) fail("--threads: 2 to 256");
    atexit(end_loops);
    make_data();
    measure_machine();
    say_machine("threads on a busy machine", "");
    say("%d threads against one, alone and beside %s; us a step or decode, medians of %d rounds of "
        "%.2g s;\nratio: several over one, and the worst round\n\n", threads,
        sysconf(_SC_NPROCESSORS_ONLN) > 2 ? "processes that only count, for all processors but one"
        : "a process that only counts", rounds, seconds);
    say("  %-34s %9s %9s %13s %9s %9s %13s\n", "", "one", "several", "ratio  ", "one, busy",
        "several", "ratio  ");
    for (i = -1; i < TASKS; i++) {
        const task *t = i < 0 ? &small : &tasks[i];
        if (!word || strstr(t->name, word)) rows += row(t, sums);
    }
    if (rows)
        say("  %-34s %19s %6.3f %26s %6.3f\n", "geometric means", "", exp(sums[0] / rows), "",
            exp(sums[1] / rows));
    if (!word) many();
    say("\n%.0f s in all\n", seconds_of(CLOCK_MONOTONIC) - begin);
    close_results();
    return 0;
}
