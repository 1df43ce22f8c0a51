/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Prints the options' part of krypton(8), in man's language, from the table that the hypervisor's parser is made of.
 * Text in the table is plain: here the characters that mean something to troff are protected.
 */
#include <stdio.h>

static void text(const char *s)
{
    for (; *s; s++) {
        if (*s == '\\')
            fputs("\\e", stdout);
        else if (*s == '-')
            fputs("\\-", stdout);
        else if (*s == '\'')
            fputs("\\(aq", stdout);
        else
            putchar(*s);
    }
}

static void option(const char *name, const char *form, const char *usual, const char *example, const char *help)
{
    printf(".TP\n.B ");
    text(name);
    printf("\\fR=\\fI");
    text(form);
    printf("\n");
    text(help);
    if (*usual) {
        printf("\nDefault: ");
        text(usual);
        printf(".");
    }
    printf("\nExample:\n.B ");
    text(example);
    printf("\n");
}

/* A macro's argument starts no line, so no name can be taken for a request. */
static void ignored(const char *name)
{
    printf(".B ");
    text(name);
    printf("\n");
}

static void missing(const char *name, const char *what)
{
    printf(".TP\n");
    ignored(name);
    text(what);
    printf(".\n");
}

int main(void)
{
#define OPTION(name, reader, field, form, usual, example, help) option(name, form, usual, example, help);
#define IGNORED(name)
#define MISSING(name, what)
#include "boot/parse/options.def"
#undef OPTION
#undef IGNORED
#undef MISSING
    printf(".SS Accepted without effect\n");
#define OPTION(...)
#define IGNORED(name) ignored(name);
#define MISSING(name, what)
#include "boot/parse/options.def"
#undef IGNORED
#undef MISSING
#define IGNORED(name)
#define MISSING(name, what) missing(name, what);
#include "boot/parse/options.def"
    return 0;
}
