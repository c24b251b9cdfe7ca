/* The same on a Cortex-M of the MPS2 boards, without any library but the compiler's own: prints by
 * semihosting, with the most stack that loading and all of it took. */
#define VAE_FREESTANDING
#define VAE_IMPLEMENTATION
#include "../../vae.h"
#include "model.h"

/* ---- what gcc wants of every program ---- */

void *memcpy(void *to, const void *from, size_t count);
void *memmove(void *to, const void *from, size_t count);
void *memset(void *to, int byte, size_t count);
int memcmp(const void *a, const void *b, size_t count);
#define PLAIN __attribute__((__optimize__("no-tree-loop-distribute-patterns"))) /* no calls of themselves */

PLAIN void *memcpy(void *to, const void *from, size_t count) {
    char *p = (char *)to;
    const char *q = (const char *)from;
    while (count--) *p++ = *q++;
    return to;
}
PLAIN void *memmove(void *to, const void *from, size_t count) {
    char *p = (char *)to;
    const char *q = (const char *)from;
    if ((uintptr_t)to < (uintptr_t)from) return memcpy(to, from, count);
    while (count--) p[count] = q[count];
    return to;
}
PLAIN void *memset(void *to, int byte, size_t count) {
    char *p = (char *)to;
    while (count--) *p++ = (char)byte;
    return to;
}
PLAIN int memcmp(const void *a, const void *b, size_t count) {
    const unsigned char *p = (const unsigned char *)a, *q = (const unsigned char *)b;
    for (; count; count--, p++, q++)
        if (*p != *q) return *p - *q;
    return 0;
}

/* ---- the outer world: semihosting ---- */

static int ask(int what, const void *with) {
    register int r0 __asm__("r0") = what;
    register const void *r1 __asm__("r1") = with;
    __asm__ volatile("bkpt 0xab" : "+r"(r0) : "r"(r1) : "memory");
    return r0;
}
static void say(const char *text) { ask(4, text); }
#include "decode.h"

/* ---- the stack: painted, then looked at ---- */

extern unsigned char stack_low[], stack_high[];
enum { PAINT = 0xA5 };
static void say_stack(const char *what) {
    const unsigned char *p = stack_low;
    char text[8] = {'0', '0', '0', '0', '0', '0', '\n', 0};
    size_t used;
    int i;
    while (p < stack_high && *p == PAINT) p++;
    used = (size_t)(stack_high - p);
    for (i = 5; used; i--, used /= 10) text[i] = (char)('0' + used % 10);
    say(what);
    say(text);
}
static void loaded(void) { say_stack("stack while loading "); }

/* ---- reset ---- */

void reset(void);
__attribute__((__noinline__)) static int run(void) {
    const int bad = decode(model, sizeof model, loaded);
    say_stack("stack in all ");
    return bad;
}
void reset(void) {
    extern unsigned char data_from[], data_low[], data_high[], bss_low[], bss_high[];
    volatile unsigned char *p;
    int bad;
#ifdef __ARM_FP
    *(volatile uint32_t *)0xE000ED88u |= 15u << 20; /* turns the FPU on */
    __asm__ volatile("dsb\n\tisb" ::: "memory");
#endif
    memcpy(data_low, data_from, (size_t)(data_high - data_low));
    memset(bss_low, 0, (size_t)(bss_high - bss_low));
    for (p = stack_low; p < (volatile unsigned char *)__builtin_frame_address(0) - 64; p++) *p = PAINT;
    bad = run();
    ask(0x18, (const void *)(uintptr_t)(bad ? 0x20024 : 0x20026)); /* an internal error, or a normal exit */
    for (;;) {}
}
static void stop(void) {
    say("a fault of the processor\n");
    ask(0x18, (const void *)0x20024);
    for (;;) {}
}
__attribute__((__section__(".vectors"), __used__)) static const struct {
    unsigned char *stack;
    void (*begin)(void), (*faults[5])(void);
} vectors = {stack_high, reset, {stop, stop, stop, stop, stop}};
