/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Formatting; see lib/printf.h.
 *
 * One pass over the format: parse a specification, fetch its argument as 64 bits, write sign or prefix,
 * padding and digits through put(), which counts everything and stores what fits.
 */
#include "lib/printf.h"
#include "lib/string.h"

struct out {
    char *buf;
    size_t size, len;       /* len may exceed size: the text was cut */
};

struct spec {
    bool left, zero, alt, plus, space, upper;
    int width, precision;   /* precision -1: none given */
    int length;             /* bytes of an integer argument */
};

static void put(struct out *o, char c)
{
    if (o->len < o->size)
        o->buf[o->len] = c;
    o->len++;
}

static void pad(struct out *o, char c, int n)
{
    while (n-- > 0)
        put(o, c);
}

static void put_text(struct out *o, const struct spec *s, const char *text, size_t len)
{
    int fill = s->width > 0 && (size_t)s->width > len ? s->width - (int)len : 0;

    if (!s->left)
        pad(o, ' ', fill);
    for (size_t i = 0; i < len; i++)
        put(o, text[i]);
    if (s->left)
        pad(o, ' ', fill);
}

static void put_string(struct out *o, const struct spec *s, const char *text)
{
    if (!text)
        text = "(null)";
    put_text(o, s, text, s->precision >= 0 ? strnlen(text, (size_t)s->precision) : strlen(text));
}

/* @value in @base behind @prefix, by the rules of the C standard for padding and precision. */
static void put_number(struct out *o, const struct spec *s, uint64_t value, unsigned int base,
                       const char *prefix)
{
    const char *alphabet = s->upper ? "0123456789ABCDEF" : "0123456789abcdef";
    char digits[24];
    int n = 0, zeros = 0, fill;

    for (uint64_t v = value; v; v /= base)
        digits[n++] = alphabet[v % base];
    if (n == 0 && s->precision != 0)
        digits[n++] = '0';

    if (s->precision > n)
        zeros = s->precision - n;
    fill = s->width - n - zeros - (int)strlen(prefix);
    if (s->zero && !s->left && s->precision < 0 && fill > 0) {
        zeros = fill;
        fill = 0;
    }

    if (!s->left)
        pad(o, ' ', fill);
    while (*prefix)
        put(o, *prefix++);
    pad(o, '0', zeros);
    while (n)
        put(o, digits[--n]);
    if (s->left)
        pad(o, ' ', fill);
}

static void put_signed(struct out *o, const struct spec *s, int64_t value)
{
    const char *sign = value < 0 ? "-" : s->plus ? "+" : s->space ? " " : "";

    put_number(o, s, value < 0 ? 0 - (uint64_t)value : (uint64_t)value, 10, sign);
}

static void put_unsigned(struct out *o, const struct spec *s, uint64_t value, char conv)
{
    if (conv == 'u')
        put_number(o, s, value, 10, "");
    else if (conv == 'o')
        put_number(o, s, value, 8, s->alt && value ? "0" : "");
    else
        put_number(o, s, value, 16, s->alt && value ? (s->upper ? "0X" : "0x") : "");
}

/* A decimal number at *@fmt, or -1; values that no field could have are held at 4096. */
static int number(const char **fmt)
{
    int n = 0;

    if (**fmt < '0' || **fmt > '9')
        return -1;
    for (; **fmt >= '0' && **fmt <= '9'; (*fmt)++)
        n = MIN(n * 10 + (**fmt - '0'), 4096);
    return n;
}

static bool take(const char **fmt, char c)
{
    if (**fmt != c)
        return false;
    (*fmt)++;
    return true;
}

static int parse_length(const char **fmt)
{
    if (take(fmt, 'h'))
        return take(fmt, 'h') ? 1 : 2;
    if (take(fmt, 'l')) {
        (void)take(fmt, 'l');
        return 8;
    }
    if (take(fmt, 'z') || take(fmt, 'j') || take(fmt, 't'))
        return 8;
    return 4;
}

static void parse_flags(struct spec *s, const char **fmt)
{
    for (;; (*fmt)++) {
        switch (**fmt) {
        case '-': s->left = true; break;
        case '0': s->zero = true; break;
        case '#': s->alt = true; break;
        case '+': s->plus = true; break;
        case ' ': s->space = true; break;
        default: return;
        }
    }
}

/* va_list may be an array, which only survives a call inside a structure. */
struct args {
    va_list list;
};

static void parse_sizes(struct spec *s, const char **fmt, struct args *a)
{
    if (take(fmt, '*')) {
        s->width = va_arg(a->list, int);
        s->left |= s->width < 0;
        s->width = s->width < 0 ? 0 - s->width : s->width;
    } else {
        s->width = MAX(number(fmt), 0);
    }
    s->precision = -1;
    if (take(fmt, '.'))
        s->precision = take(fmt, '*') ? va_arg(a->list, int) : MAX(number(fmt), 0);
    s->length = parse_length(fmt);
}

static int64_t fetch_signed(const struct spec *s, struct args *a)
{
    int v;

    if (s->length == 8)
        return va_arg(a->list, int64_t);
    v = va_arg(a->list, int);
    return s->length == 1 ? (int8_t)v : s->length == 2 ? (int16_t)v : v;
}

static uint64_t fetch_unsigned(const struct spec *s, struct args *a)
{
    unsigned int v;

    if (s->length == 8)
        return va_arg(a->list, uint64_t);
    v = va_arg(a->list, unsigned int);
    return s->length == 1 ? (uint8_t)v : s->length == 2 ? (uint16_t)v : v;
}

/* One conversion; false if @conv is none that we know. */
static bool convert(struct out *o, struct spec *s, char conv, struct args *a)
{
    char c;

    switch (conv) {
    case 'd':
    case 'i':
        put_signed(o, s, fetch_signed(s, a));
        return true;
    case 'X':
        s->upper = true;
        __attribute__((fallthrough));
    case 'u':
    case 'x':
    case 'o':
        put_unsigned(o, s, fetch_unsigned(s, a), conv);
        return true;
    case 'p':
        s->precision = 16;
        put_number(o, s, (uintptr_t)va_arg(a->list, void *), 16, "0x");
        return true;
    case 's':
        put_string(o, s, va_arg(a->list, const char *));
        return true;
    case 'c':
        c = (char)va_arg(a->list, int);
        put_text(o, s, &c, 1);
        return true;
    case '%':
        put(o, '%');
        return true;
    default:
        return false;
    }
}

size_t kvsnprintf(char *buf, size_t size, const char *fmt, va_list args)
{
    struct out o = { .buf = buf, .size = size };
    struct args a;

    va_copy(a.list, args);
    while (*fmt) {
        const char *start = fmt;
        struct spec s = { 0 };

        if (*fmt++ != '%') {
            put(&o, *start);
            continue;
        }
        parse_flags(&s, &fmt);
        parse_sizes(&s, &fmt, &a);
        if (*fmt && convert(&o, &s, *fmt, &a)) {
            fmt++;
            continue;
        }
        while (start < fmt)
            put(&o, *start++);
    }
    va_end(a.list);
    if (size)
        buf[MIN(o.len, size - 1)] = '\0';
    return o.len;
}

size_t ksnprintf(char *buf, size_t size, const char *fmt, ...)
{
    va_list args;
    size_t len;

    va_start(args, fmt);
    len = kvsnprintf(buf, size, fmt, args);
    va_end(args);
    return len;
}
