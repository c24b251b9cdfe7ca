/* npy.h: tables of float32 as NumPy files (.npy), in memory.
 *
 *   npy_head     the first bytes of a file that holds (rows, cols) floats
 *   npy_pack     floats as the bytes that follow
 *   npy_parse    the bytes of a file back to a table
 *   npy_open     what any file holds: type, shape, where its numbers begin
 *   npy_fits     whether the bytes that follow are those of the shape
 *   npy_unpack   the numbers of a file, uint8 or float32, in C order
 *
 * The format is NumPy enhancement proposal 1. Written is version 1.0, little-endian ('<f4'), rank
 * 2. Read is what numpy.load reads, of numbers in uint8 and float32: versions 1.0 to 3.0, either
 * byte order, Fortran order, headers spelled by Python 2 ((30L, 4L) and u'descr'), the three keys
 * in any order. Everything else is refused with a sentence that says what was found. C99 and C++11,
 * the C library only. */

#ifndef NPY_H
#define NPY_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { NPY_HEAD = 128 }; /* bytes before the numbers in the files written here */
enum { NPY_MAX_RANK = 8 };

/* What the head of a file says. */
typedef struct npy_array {
    char descr[32];             /* the type, as the file spells it */
    size_t width;               /* of a number: 1 uint8, 4 float32; 0: any other type */
    int big;                    /* 1: the highest byte comes first */
    int fortran;                /* 1: the first index runs fastest, not the last */
    int rank;
    size_t shape[NPY_MAX_RANK]; /* rank of them */
    size_t start, bytes;        /* where the numbers begin, how many bytes follow */
} npy_array;

/* ---- writing ---------------------------------------------------------------------------- */

static inline void npy_head(uint8_t head[NPY_HEAD], size_t rows, size_t cols)
{
    char text[NPY_HEAD];
    int n = snprintf(text, sizeof text,
                     "{'descr': '<f4', 'fortran_order': False, 'shape': (%zu, %zu), }", rows,
                     cols);
    memset(head, ' ', NPY_HEAD);
    memcpy(head, "\x93NUMPY\1\0", 8);
    head[8] = NPY_HEAD - 10, head[9] = 0; /* what follows these ten bytes */
    memcpy(head + 10, text, (size_t)n);
    head[NPY_HEAD - 1] = '\n';
}

/* values (count) -> bytes (4 * count), lowest byte first on every machine */
static inline void npy_pack(const float *values, size_t count, uint8_t *bytes)
{
    for (size_t i = 0; i < count; i++) {
        uint32_t word;
        memcpy(&word, &values[i], sizeof word);
        for (size_t k = 0; k < 4; k++) bytes[4 * i + k] = (uint8_t)(word >> (8 * k));
    }
}

/* ---- reading ---------------------------------------------------------------------------- */

typedef struct npy__cursor {
    const char *at, *end;
} npy__cursor;

static inline void npy__blanks(npy__cursor *in)
{
    while (in->at < in->end && (*in->at == ' ' || (*in->at >= '\t' && *in->at <= '\r'))) in->at++;
}

/* Steps over blanks and then over `c`, if it comes next. */
static inline int npy__next(npy__cursor *in, char c)
{
    npy__blanks(in);
    if (in->at == in->end || *in->at != c) return 0;
    in->at++;
    return 1;
}

/* A quoted word of at most 31 characters, all of them printable. */
static inline int npy__word(npy__cursor *in, char word[32])
{
    char quote;
    size_t n = 0;
    (void)npy__next(in, 'u'); /* Python 2 may write u'descr' */
    quote = npy__next(in, '\'') ? '\'' : npy__next(in, '"') ? '"' : '\0';
    if (!quote) return 0;
    while (in->at < in->end && *in->at != quote && n < 31) {
        if (*in->at < ' ' || *in->at > '~') return 0;
        word[n++] = *in->at++;
    }
    word[n] = '\0';
    return npy__next(in, quote);
}

static inline int npy__number(npy__cursor *in, size_t *value)
{
    int digits = 0;
    npy__blanks(in);
    for (*value = 0; in->at < in->end && *in->at >= '0' && *in->at <= '9'; in->at++, digits++) {
        size_t digit = (size_t)(*in->at - '0');
        if (*value > (SIZE_MAX - digit) / 10) return 0;
        *value = *value * 10 + digit;
    }
    if (digits && in->at < in->end && *in->at == 'L') in->at++; /* a long of Python 2 */
    return digits > 0;
}

/* The type that NumPy calls so: width and byte order. */
static inline void npy__type(npy_array *a)
{
    const uint16_t one = 1;
    const char *d = a->descr;
    uint8_t low;
    memcpy(&low, &one, 1);
    a->big = !low;
    if (*d == '<' || *d == '>') a->big = *d == '>';
    if (*d && strchr("<>=|", *d)) d++;
    if (!strcmp(d, "u1") || !strcmp(d, "B") || !strcmp(a->descr, "uint8")) a->width = 1;
    if (!strcmp(d, "f4") || !strcmp(d, "f") || !strcmp(a->descr, "float32")) a->width = 4;
}

/* "(30, 4, 5)", as Python writes a tuple. */
static inline int npy__shape(npy__cursor *in, npy_array *a)
{
    int comma = 0;
    if (!npy__next(in, '(')) return 0;
    for (a->rank = 0; !npy__next(in, ')'); a->rank++) {
        if ((a->rank && !comma) || a->rank == NPY_MAX_RANK) return 0;
        if (!npy__number(in, &a->shape[a->rank])) return 0;
        comma = npy__next(in, ',');
    }
    return a->rank != 1 || comma; /* (4) is a number */
}

/* The dictionary {'descr': ..., 'fortran_order': ..., 'shape': ...}. NULL, or what is wrong. */
static inline const char *npy__dictionary(npy__cursor in, npy_array *a)
{
    char key[32];
    int seen = 0, which;
    if (!npy__next(&in, '{')) return "its header is not a dictionary";
    while (!npy__next(&in, '}')) {
        if (!npy__word(&in, key) || !npy__next(&in, ':')) return "its header cannot be read";
        which = !strcmp(key, "descr") ? 1 : !strcmp(key, "fortran_order") ? 2
              : !strcmp(key, "shape") ? 4 : 0;
        if (!which || (seen & which)) return "its header holds an unknown key, or one twice";
        seen |= which;
        npy__blanks(&in);
        if (which == 1) {
            if (!npy__word(&in, a->descr)) return "it holds records, not plain numbers";
            npy__type(a);
        } else if (which == 2) {
            const size_t left = (size_t)(in.end - in.at);
            a->fortran = left >= 4 && !memcmp(in.at, "True", 4);
            if (!a->fortran && (left < 5 || memcmp(in.at, "False", 5)))
                return "its fortran_order is neither True nor False";
            in.at += a->fortran ? 4 : 5;
        } else if (!npy__shape(&in, a)) {
            return a->rank == NPY_MAX_RANK ? "it has more than 8 dimensions"
                                           : "its shape cannot be read";
        }
        if (!npy__next(&in, ',') && (in.at == in.end || *in.at != '}'))
            return "its header cannot be read";
    }
    npy__blanks(&in);
    if (in.at != in.end) return "something follows the dictionary in its header";
    return seen == 7 ? NULL : "its header lacks descr, fortran_order or shape";
}

/* The head of a file of `size` bytes. Whether the bytes that follow fit is not asked here.
 * Returns 1; or 0 with the reason in `error`. */
static inline int npy_open(const uint8_t *bytes, size_t size, npy_array *array, char error[160])
{
    size_t start, length = 0, width;
    const char *wrong = NULL;
    npy__cursor in;
    memset(array, 0, sizeof *array);
    if (size < 10 || memcmp(bytes, "\x93NUMPY", 6) != 0) wrong = "it is not an NPY file";
    else if (bytes[6] < 1 || bytes[6] > 3) wrong = "its NPY version is unknown";
    width = !wrong && bytes[6] > 1 ? 4 : 2; /* of the header's length */
    start = 8 + width;
    if (!wrong && size < start) wrong = "it ends within its header";
    if (!wrong) {
        for (size_t k = width; k-- > 0;) length = length << 8 | bytes[8 + k];
        if (length > size - start) wrong = "it ends within its header";
    }
    if (!wrong) {
        in.at = (const char *)bytes + start, in.end = in.at + length;
        array->start = start + length;
        array->bytes = size - array->start;
        wrong = npy__dictionary(in, array);
    }
    if (wrong) snprintf(error, 160, "%s", wrong);
    return !wrong;
}

/* Whether as many bytes follow the head as its shape asks for. Returns 1; or 0 with the reason in
 * `error`. Not for files of another type. */
static inline int npy_fits(const npy_array *a, char error[160])
{
    size_t count = a->bytes / a->width, left = count;
    int empty = 0;
    for (int i = 0; i < a->rank; i++) { /* divided by each size in turn, 1 must be left */
        if (a->shape[i] == 0) empty = 1;
        else left = left % a->shape[i] ? 0 : left / a->shape[i];
    }
    if (empty) left = a->bytes == 0;
    if (left == 1 && a->bytes % a->width == 0) return 1;
    snprintf(error, 160, "%zu bytes of numbers do not make its shape", a->bytes);
    return 0;
}

/* The numbers of a file that fits, in C order and this machine's byte order.
 *
 *   out  (shape) of uint8 or float, as a->width says; it may be `bytes` unless a->fortran */
static inline void npy_unpack(const uint8_t *bytes, const npy_array *a, void *out)
{
    const uint8_t *from = bytes + a->start;
    const size_t count = a->bytes / a->width;
    size_t at[NPY_MAX_RANK] = {0}, step[NPY_MAX_RANK] = {0}, place = 0, run = 1;
    for (int k = 0; k < a->rank; run *= a->shape[k++]) step[k] = run;
    for (size_t i = 0; i < count; i++) {
        const uint8_t *b = from + a->width * (a->fortran ? place : i);
        if (a->width == 1) {
            ((uint8_t *)out)[i] = *b;
        } else {
            uint32_t word = 0;
            for (int k = 0; k < 4; k++) word |= (uint32_t)b[k] << (a->big ? 24 - 8 * k : 8 * k);
            memcpy((uint8_t *)out + 4 * i, &word, 4);
        }
        for (int k = a->rank; a->fortran && k-- > 0;) { /* on to the next, its last index first */
            place += step[k];
            if (++at[k] < a->shape[k]) break;
            place -= step[k] * a->shape[k], at[k] = 0;
        }
    }
}

/* The table in the `size` bytes of a file: *values (*rows, *cols), for the caller to free().
 *
 * Returns 1; or 0 with the reason in `error` and nothing allocated. Sizes are checked against what
 * is there before anything is allocated. */
static inline int npy_parse(const uint8_t *bytes, size_t size, float **values, size_t *rows,
                            size_t *cols, char error[160])
{
    npy_array a;
    if (!npy_open(bytes, size, &a, error)) return 0;
    if (a.width != 4) {
        snprintf(error, 160, "it holds '%s', not '<f4'; save x.astype('<f4')", a.descr);
        return 0;
    }
    if (a.rank != 2 || a.shape[0] == 0 || a.shape[1] == 0) {
        if (a.rank != 2) snprintf(error, 160, "it has %d dimensions, not 2", a.rank);
        else snprintf(error, 160, "it holds no numbers");
        return 0;
    }
    if (!npy_fits(&a, error)) {
        snprintf(error, 160, "%zu bytes of numbers do not make a shape of (%zu, %zu)", a.bytes,
                 a.shape[0], a.shape[1]);
        return 0;
    }
    *values = (float *)malloc(a.bytes);
    if (!*values) {
        snprintf(error, 160, "out of memory");
        return 0;
    }
    npy_unpack(bytes, &a, *values);
    *rows = a.shape[0], *cols = a.shape[1];
    return 1;
}

#endif /* NPY_H */
