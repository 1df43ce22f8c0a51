/* SPDX-License-Identifier: BSD-2-Clause */
/* See efi/config.h. */
#include "efi/config.h"

#include "lib/errno.h"
#include "lib/string.h"

struct text {
    const char *at;
    size_t size;
};

static bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

/* Without blanks at its ends. */
static struct text trim(struct text t)
{
    while (t.size && is_blank(t.at[0]))
        t.at++, t.size--;
    while (t.size && is_blank(t.at[t.size - 1]))
        t.size--;
    return t;
}

static bool is(struct text t, const char *word)
{
    return t.size == strlen(word) && strncmp(t.at, word, t.size) == 0;
}

/* Takes the next line off @rest; false if nothing is left. Ends are \n, \r and NUL. */
static bool next_line(struct text *rest, struct text *line)
{
    size_t n = 0;

    if (!rest->size)
        return false;
    while (n < rest->size && rest->at[n] != '\n' && rest->at[n] != '\r' && rest->at[n])
        n++;
    *line = trim((struct text){ rest->at, n });
    n += n < rest->size;
    rest->at += n;
    rest->size -= n;
    return true;
}

static bool is_section(struct text line, struct text *name)
{
    if (line.size < 2 || line.at[0] != '[' || line.at[line.size - 1] != ']')
        return false;
    *name = (struct text){ line.at + 1, line.size - 2 };
    return true;
}

/* The value of @key in @section, the first of them; @section "": in any. False if there is none. */
static bool find(struct text file, const char *section, const char *key, struct text *value)
{
    struct text line, name;
    bool inside = !section[0];

    while (next_line(&file, &line)) {
        const char *equals = line.size ? memchr(line.at, '=', line.size) : NULL;

        if (!line.size || line.at[0] == '#')
            continue;
        if (is_section(line, &name)) {
            inside = !section[0] || is(name, section);
        } else if (inside && equals) {
            size_t n = (size_t)(equals - line.at);

            *value = trim((struct text){ equals + 1, line.size - n - 1 });
            if (is(trim((struct text){ line.at, n }), key))
                return true;
        }
    }
    return false;
}

/* "" if it is not there; false if it is too long. */
static bool read_value(struct text file, const char *section, const char *key, char *to, size_t room)
{
    struct text value;

    to[0] = 0;
    if (!find(file, section, key, &value))
        return true;
    if (value.size >= room)
        return false;
    memcpy(to, value.at, value.size);
    to[value.size] = 0;
    return true;
}

static int wrong(const char **why, const char *what)
{
    *why = what;
    return -EINVAL;
}

int efi_config_read(const char *text, size_t size, const char *section, struct efi_config *c, const char **why)
{
    struct text file = { text, size };

    if (strlen(section) >= sizeof(c->section))
        return wrong(why, "the section's name is too long");
    strlcpy(c->section, section, sizeof(c->section));
    if (!section[0] && !read_value(file, "global", "default", c->section, sizeof(c->section)))
        return wrong(why, "the name after default= is too long");
    if (!read_value(file, c->section, "options", c->options, sizeof(c->options)) ||
        !read_value(file, c->section, "kernel", c->kernel, sizeof(c->kernel)) ||
        !read_value(file, c->section, "ramdisk", c->ramdisk, sizeof(c->ramdisk)))
        return wrong(why, "a value is longer than 2047 characters");
    if (!c->kernel[0])
        return wrong(why, "there is no kernel= in the section");
    return 0;
}

/* Where the ending begins in @name of @n characters: its last separator; 0 if there is none. */
static size_t ending(const char *name, size_t n)
{
    while (n > 0 && !strchr(".-_", name[n - 1]))
        n--;
    return n ? n - 1 : 0;
}

bool efi_config_next_name(const char *image, char *name, size_t room)
{
    size_t len = strlen(image), n;

    if (!name[0]) {
        n = len > 4 && (strcmp(image + len - 4, ".efi") == 0 || strcmp(image + len - 4, ".EFI") == 0) ? len - 4 : len;
    } else {
        n = ending(name, strlen(name) - 4);
    }
    if (n == 0 || n > len || n + 5 > room)
        return false;
    memcpy(name, image, n);
    memcpy(name + n, ".cfg", 5);
    return true;
}
