/* ======================================================================================
 * text.h   memory, bytes that grow, words and numbers that were typed
 * uses: platform.h screen.h npy.h
 * tests: tests/test_tool.sh, tests/fuzz_args.c
 * ==================================================================================== */
#ifndef VAE_TOOL_TEXT_H
#define VAE_TOOL_TEXT_H
#include "platform.h"
#include "screen.h"
#include "npy.h"

/* a * b, or SIZE_MAX where that is too large: of so much, there is no memory anywhere. */
static size_t times(size_t a, size_t b) { return b && a > SIZE_MAX / b ? SIZE_MAX : a * b; }

/* Zeros. Every product of sizes that is allocated stands in times() or is the one made here. */
static void *need(size_t count, size_t size)
{
    void *block = count < SIZE_MAX ? calloc(count ? count : 1, size) : NULL;
    if (!block && count == SIZE_MAX)
        die(FAILED, "out of memory: more bytes than this system can address");
    if (!block) die(FAILED, "out of memory: %zu times %zu bytes", count, size);
    return block;
}

static float *floats(size_t rows, size_t cols)
{
    return (float *)need(times(rows, cols), sizeof(float));
}

/* Bytes that grow: every file that is not a model or a picture is put together here first. */
typedef struct text {
    char *at;
    size_t count, room;
} text;

static void *text_grow(text *t, size_t more)
{
    if (more > t->room - t->count) {
        size_t least = more < SIZE_MAX - t->count ? t->count + more : SIZE_MAX;
        size_t room = t->room < SIZE_MAX / 2 && least < 2 * t->room ? 2 * t->room : least;
        char *at = room < SIZE_MAX ? (char *)realloc(t->at, room) : NULL;
        if (!at) die(FAILED, "out of memory: %zu bytes and %zu more", t->count, more);
        t->at = at, t->room = room;
    }
    t->count += more;
    return t->at + (t->count - more);
}

FORMAT(2) static void text_print(text *t, const char *format, ...)
{
    va_list args;
    char *more;
    va_start(args, format);
    more = formatted(format, args);
    va_end(args);
    if (!more) die(FAILED, "out of memory");
    memcpy(text_grow(t, strlen(more)), more, strlen(more));
    free(more);
}

/* The head of a table; there is room for its numbers then. */
static void text_npy_head(text *t, size_t rows, size_t cols)
{
    const size_t numbers = times(4, times(rows, cols));
    npy_head((uint8_t *)text_grow(t, NPY_HEAD), rows, cols);
    (void)text_grow(t, numbers);
    t->count -= numbers;
}

static void text_npy_rows(text *t, const float *values, size_t count)
{
    npy_pack(values, count, (uint8_t *)text_grow(t, times(4, count)));
}

static int ends_with(const char *path, const char *tail)
{
    size_t n = strlen(path), m = strlen(tail);
    return n >= m && strcmp(path + n - m, tail) == 0;
}

static char *joined(const char *a, const char *b, const char *c)
{
    size_t size = strlen(a) + strlen(b) + strlen(c) + 1;
    char *path = (char *)need(size, 1);
    snprintf(path, size, "%s%s%s", a, b, c);
    return path;
}

/* How many letters must be put in, taken out or changed to make b of a. Names are short. */
static size_t edit_distance(const char *a, const char *b)
{
    size_t row[64], n = strlen(b);
    if (n > 62) return n;
    for (size_t j = 0; j <= n; j++) row[j] = j;
    for (; *a; a++) {
        size_t corner = row[0]++;
        for (size_t j = 1; j <= n; j++) {
            size_t changed = corner + (*a != b[j - 1]), least = row[j] + 1;
            corner = row[j];
            if (row[j - 1] + 1 < least) least = row[j - 1] + 1;
            row[j] = changed < least ? changed : least;
        }
    }
    return row[n];
}

/* Keeps in `best` the candidate nearest to what was typed, if it is near enough to be meant. */
static void consider(const char *typed, const char *candidate, const char **best, size_t *distance)
{
    size_t d = edit_distance(typed, candidate), n = strlen(candidate);
    int begins = strlen(typed) > 3 && strncmp(typed, candidate, strlen(typed)) == 0;
    if (begins) d = 1;
    if (d < *distance && d <= 1 + n / 4) *best = candidate, *distance = d;
}

/* The next piece of a list: copies up to `separator` and steps over it. 0 at the end. A piece that
 * is too long ends in "...", so that its beginning is not taken for a number or a word. */
static int next_piece(const char **list, char separator, char *piece, size_t size)
{
    const char *start = *list, *end = start ? strchr(start, separator) : NULL;
    size_t n = end ? (size_t)(end - start) : start ? strlen(start) : 0;
    const int cut = n >= size;
    if (!start) return 0;
    if (cut)
        for (n = size - 4; n && ((unsigned char)start[n] & 0xc0) == 0x80;) n--;
    memcpy(piece, start, n);
    snprintf(piece + n, size - n, "%s", cut ? "..." : "");
    *list = end ? end + 1 : NULL;
    return 1;
}

static int read_whole(const char *typed, uint64_t *value)
{
    uint64_t v = 0;
    size_t n = 0;
    for (; typed[n] >= '0' && typed[n] <= '9'; n++) {
        uint64_t digit = (uint64_t)(typed[n] - '0');
        if (v > (UINT64_MAX - digit) / 10) return 0;
        v = v * 10 + digit;
    }
    *value = v;
    return n > 0 && typed[n] == '\0';
}

/* The same with K, M or G behind it. */
static int read_bytes(const char *typed, uint64_t *value)
{
    static const char units[] = "KMG";
    char digits[24];
    const size_t n = strlen(typed);
    const char *unit = n ? strchr(units, typed[n - 1]) : NULL;
    const int shift = unit ? 10 * (int)(unit - units + 1) : 0;
    if (n >= sizeof digits) return 0;
    memcpy(digits, typed, n + 1);
    if (unit) digits[n - 1] = '\0';
    if (!read_whole(digits, value) || *value > UINT64_MAX >> shift) return 0;
    *value <<= shift;
    return 1;
}

/* Decimal only, all of the text, nothing that overflows or vanishes. */
static int read_real(const char *typed, double *value)
{
    char *end;
    size_t n = strlen(typed);
    if (n == 0 || strspn(typed, "0123456789+-.eE") != n) return 0;
    errno = 0;
    *value = strtod(typed, &end);
    return end == typed + n && errno == 0;
}

/* The fewest digits that give the same number again. */
static void real_text(char *out, size_t size, double value)
{
    for (int n = 1; n <= 17; n++) {
        snprintf(out, size, "%.*g", n, value);
        if (!(strtod(out, NULL) < value || strtod(out, NULL) > value)) return;
    }
}

/* Whether a number is from -1e18 to 1e18, as the library has it, or if `unit` from 0 to 1. By its
 * bits, since -Ofast removes other ways to ask, and since subnormal numbers may count as 0. */
static int fits(float x, int unit)
{
    uint32_t bits;
    memcpy(&bits, &x, sizeof bits);
    return unit ? bits <= 0x3f800000u || bits == 0x80000000u : (bits & 0x7fffffffu) <= 0x5d5e0b6bu;
}

static int is_finite(double x)
{
    uint64_t bits;
    memcpy(&bits, &x, sizeof bits);
    return (bits >> 52 & 0x7ff) != 0x7ff;
}

/* The name of a number that is not finite. */
static const char *odd_name(double x)
{
    uint64_t bits;
    memcpy(&bits, &x, sizeof bits);
    return bits << 12 ? "NaN" : bits >> 63 ? "minus infinity" : "infinite";
}

#endif
