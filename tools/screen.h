/* ======================================================================================
 * screen.h   what a person sees: sentences, errors, the live line of a terminal
 * uses: platform.h
 * tests: tests/test_tool_runs.sh (terminals, names)
 * ==================================================================================== */
#ifndef VAE_TOOL_SCREEN_H
#define VAE_TOOL_SCREEN_H
#include "platform.h"

enum { FAILED = 1, MISUSED = 2 }; /* exit statuses */

static struct screen {
    FILE *out;      /* where people read: stdout, or stderr while stdout carries data */
    int terminal;   /* 1: a person is watching */
    int colour;     /* 1: and likes colours */
    int quiet;      /* 1: errors only */
    int closed;     /* 1: stdout was closed when the program began */
    size_t drawn;   /* characters of an unfinished line on the terminal */
} screen;

/* Leaves an unfinished line as it stands. */
static void screen_break(void)
{
    if (screen.drawn) fputc('\n', screen.out);
    screen.drawn = 0;
}

/* As printf would print it, for the caller to free(). NULL: no memory. */
static char *formatted(const char *format, va_list args)
{
    va_list again;
    char *text;
    int n;
    va_copy(again, args);
    n = vsnprintf(NULL, 0, format, again);
    va_end(again);
    text = n < 0 ? NULL : (char *)malloc((size_t)n + 1);
    va_copy(again, args);
    if (text) vsnprintf(text, (size_t)n + 1, format, again);
    va_end(again);
    return text;
}

/* A message for the caller to free(). What comes with its arguments, such as the name of a file,
 * is shown as a vae_report shows it: control characters, marks of direction and bytes that are not
 * UTF-8 become \x1b. The newlines of `format` stay: where they are is found by formatting twice,
 * with another character in their place. NULL: no memory. */
static char *message(const char *format, va_list args)
{
    char *swapped = (char *)malloc(strlen(format) + 1), *plain = formatted(format, args);
    const size_t size = plain ? strlen(plain) : 0;
    char *other = NULL, *out = plain ? (char *)malloc(4 * size + 1) : NULL, *at = out;
    for (size_t i = 0; swapped && (i == 0 || format[i - 1]); i++)
        swapped[i] = format[i] == '\n' ? '\f' : format[i];
    if (out && swapped) other = formatted(swapped, args);
    for (size_t i = 0, n, width; other && i < size; i += n) {
        n = vae__piece((const unsigned char *)plain + i, size - i, &width);
        if (n == width || plain[i] != other[i]) memcpy(at, plain + i, n), at += n;
        else at += snprintf(at, 5, "\\x%02x", (unsigned)(unsigned char)plain[i]);
    }
    if (other) *at = '\0';
    else free(out), out = NULL;
    free(swapped);
    free(plain);
    free(other);
    return out;
}

/* One sentence on stderr, and the end. Memory and files still open are left to the system. */
NORETURN FORMAT(2) static void die(int status, const char *format, ...)
{
    va_list args;
    char *text;
    va_start(args, format);
    text = message(format, args);
    va_end(args);
    screen_break();
    fflush(stdout);
    fprintf(stderr, "vae: %s\n", text ? text : "out of memory");
    exit(status);
}

FORMAT(1) static void say(const char *format, ...)
{
    va_list args;
    char *text;
    if (screen.quiet) return;
    va_start(args, format);
    text = message(format, args);
    va_end(args);
    fputs(text ? text : "out of memory\n", screen.out);
    free(text);
}

static size_t screen_width(void)
{
    const char *columns = getenv("COLUMNS");
    long width = columns ? strtol(columns, NULL, 10) : 0;
#if defined(HAVE_POSIX) && defined(TIOCGWINSZ)
    struct winsize size;
    if (ioctl(fileno(screen.out), TIOCGWINSZ, &size) == 0 && size.ws_col) width = size.ws_col;
#endif
    return width < 1 || width > 1000 ? 80 : (size_t)width;
}

static size_t screen_height(void)
{
    long height = 0;
#if defined(HAVE_POSIX) && defined(TIOCGWINSZ)
    struct winsize size;
    if (ioctl(fileno(screen.out), TIOCGWINSZ, &size) == 0 && size.ws_row) height = size.ws_row;
#endif
    return height < 1 || height > 1000 ? 24 : (size_t)height;
}

/* Replaces the unfinished line on the terminal in one piece, so that nothing flickers. The line is
 * ASCII: it may be cut anywhere. */
static void screen_line(const char *line, int finished)
{
    char all[2100];
    size_t width = screen_width() - 1, length = strlen(line);
    if (!finished && length > width) length = width;
    snprintf(all, sizeof all, "%s%.*s%*s%s", screen.terminal ? "\r" : "", (int)length, line,
             (int)(screen.drawn > length ? screen.drawn - length : 0), "", finished ? "\n" : "");
    if (screen.quiet) return;
    fputs(all, screen.out);
    fflush(screen.out);
    screen.drawn = finished ? 0 : length;
}

/* Takes an unfinished line away again. */
static void screen_clear(void)
{
    if (screen.drawn) screen_line("", 0), fputc('\r', screen.out);
}

#endif
