/* npy.h: tables of float32 as NumPy files (.npy), in memory.
 *
 *   npy_head     the first bytes of a file that holds (rows, cols) floats
 *   npy_pack     floats as the bytes that follow
 *   npy_parse    the bytes of a file back to a table
 *   npy_open     what any file holds: type, shape, where its numbers begin
 *
 * The format is NumPy enhancement proposal 1. Written is version 1.0, little-endian ('<f4'), rank
 * 2. Read is the same in versions 1.0 to 3.0, with the three keys in any order; everything else is
 * refused with a sentence that says what was found. C99 and C++11, the C library only. */

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
    char descr[32];             /* the type, as NumPy spells it */
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
    while (in->at < in->end && (*in->at == ' ' || *in->at == '\t' || *in->at == '\n')) in->at++;
}

/* Steps over blanks and then over `c`, if it comes next. */
static inline int npy__next(npy__cursor *in, char c)
{
    npy__blanks(in);
    if (in->at == in->end || *in->at != c) return 0;
    in->at++;
    return 1;
}

/* A quoted word, at most 31 characters of it. */
static inline int npy__word(npy__cursor *in, char word[32])
{
    char quote = npy__next(in, '\'') ? '\'' : npy__next(in, '"') ? '"' : '\0';
    size_t n = 0;
    if (!quote) return 0;
    while (in->at < in->end && *in->at != quote && n < 31) word[n++] = *in->at++;
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
    return digits > 0;
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
        if (which == 1) {
            if (!npy__word(&in, a->descr)) return "it holds records, not plain numbers";
        } else if (which == 2) {
            npy__blanks(&in);
            if (in.end - in.at >= 4 && !memcmp(in.at, "True", 4))
                return "it is in Fortran order; save numpy.ascontiguousarray(x)";
            if (in.end - in.at < 5 || memcmp(in.at, "False", 5))
                return "its fortran_order is neither True nor False";
            in.at += 5;
        } else {
            if (!npy__next(&in, '(')) return "its shape cannot be read";
            for (a->rank = 0; !npy__next(&in, ')'); a->rank++) {
                size_t size;
                if (!npy__number(&in, &size)) return "its shape cannot be read";
                if (a->rank == NPY_MAX_RANK) return "it has more than 8 dimensions";
                a->shape[a->rank] = size;
                if (!npy__next(&in, ',') && (in.at == in.end || *in.at != ')'))
                    return "its shape cannot be read";
            }
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

/* The table in the `size` bytes of a file: *values (*rows, *cols), for the caller to free().
 *
 * Returns 1; or 0 with the reason in `error` and nothing allocated. Sizes are checked against what
 * is there before anything is allocated. */
static inline int npy_parse(const uint8_t *bytes, size_t size, float **values, size_t *rows,
                            size_t *cols, char error[160])
{
    npy_array a;
    size_t count;
    if (!npy_open(bytes, size, &a, error)) return 0;
    if (strcmp(a.descr, "<f4") != 0) {
        snprintf(error, 160, "it holds '%s', not '<f4'; save x.astype('<f4')", a.descr);
        return 0;
    }
    if (a.rank != 2 || a.shape[0] == 0 || a.shape[1] == 0) {
        if (a.rank != 2) snprintf(error, 160, "it has %d dimensions, not 2", a.rank);
        else snprintf(error, 160, "it holds no numbers");
        return 0;
    }
    count = a.bytes / 4;
    if (a.shape[0] > count / a.shape[1] || a.shape[0] * a.shape[1] != count || a.bytes % 4) {
        snprintf(error, 160, "%zu bytes of numbers do not make a shape of (%zu, %zu)", a.bytes,
                 a.shape[0], a.shape[1]);
        return 0;
    }
    *values = (float *)malloc(count * sizeof(float));
    if (!*values) {
        snprintf(error, 160, "out of memory");
        return 0;
    }
    for (size_t i = 0; i < count; i++) {
        const uint8_t *b = bytes + a.start + 4 * i;
        uint32_t word = b[0] | (uint32_t)b[1] << 8 | (uint32_t)b[2] << 16 | (uint32_t)b[3] << 24;
        memcpy(*values + i, &word, sizeof word);
    }
    *rows = a.shape[0], *cols = a.shape[1];
    return 1;
}

#endif /* NPY_H */
