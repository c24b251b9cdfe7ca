/* ======================================================================================
 * json.h   JSON, number by number
 * uses: platform.h text.h
 * tests: tests/test_tool.sh
 * ==================================================================================== */
#ifndef VAE_TOOL_JSON_H
#define VAE_TOOL_JSON_H
#include "platform.h"
#include "text.h"

/* JSON has no word for what is not finite. Looks at the text: -Ofast removes other ways to ask. */
static void json_number(text *t, const char *name, double value, const char *after)
{
    char number[40];
    snprintf(number, sizeof number, "%.9g", value);
    text_print(t, "\"%s\": %s%s", name, strpbrk(number, "in") ? "null" : number, after);
}

/* Below 0 stands for what is not known, such as a standard error of one number. */
static void json_error(text *t, const char *name, double error, const char *after)
{
    if (error < 0) text_print(t, "\"%s\": null%s", name, after);
    else json_number(t, name, error, after);
}

static void json_string(text *t, const char *name, const char *value, const char *after)
{
    text_print(t, "\"%s\": ", name);
    if (!value) {
        text_print(t, "null%s", after);
        return;
    }
    text_print(t, "\"");
    for (; *value; value++) {
        unsigned char c = (unsigned char)*value;
        if (c < 0x20) text_print(t, "\\u%04x", (unsigned)c);
        else text_print(t, "%s%c", c == '"' || c == '\\' ? "\\" : "", c);
    }
    text_print(t, "\"%s", after);
}

static void json_list(text *t, const char *name, const double *values, size_t count)
{
    text_print(t, "  \"%s\": [", name);
    for (size_t i = 0; i < count; i++) text_print(t, "%s%.9g", i ? ", " : "", values[i]);
    text_print(t, "],\n");
}

#endif
