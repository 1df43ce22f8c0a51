/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Text out of the guest: a small printf over console_io or the console ring, and the usual string
 * functions.
 */

#include <stdarg.h>

#include "micro.h"

#include <xen/event_channel.h>
#include <xen/io/console.h>
#include <xen/sched.h>

#include "mm.h"

struct line {
    char text[512];
    size_t len;
};

static struct xencons_interface *ring;

void console_init(void)
{
    if (!is_dom0())
        ring = (void *)(VIRT_BASE + (m2p(start_info->console.domU.mfn) << 12));
}

/* Waits for room as long as it takes: whoever reads the ring decides the pace. */
static void ring_write(const char *text, size_t len)
{
    struct evtchn_send notify = { .port = start_info->console.domU.evtchn };
    XENCONS_RING_IDX prod = ring->out_prod;

    while (len) {
        if (prod - __atomic_load_n(&ring->out_cons, __ATOMIC_ACQUIRE) < sizeof(ring->out)) {
            ring->out[MASK_XENCONS_IDX(prod, ring->out)] = *text++;
            prod++;
            len--;
            continue;
        }
        __atomic_store_n(&ring->out_prod, prod, __ATOMIC_RELEASE);
        hypercall(__HYPERVISOR_event_channel_op, EVTCHNOP_send, &notify);
        hypercall(__HYPERVISOR_sched_op, SCHEDOP_yield, 0);
    }
    __atomic_store_n(&ring->out_prod, prod, __ATOMIC_RELEASE);
    hypercall(__HYPERVISOR_event_channel_op, EVTCHNOP_send, &notify);
}

static void put(struct line *l, char c)
{
    if (l->len < sizeof(l->text))
        l->text[l->len++] = c;
}

static void put_number(struct line *l, unsigned long n, unsigned int base, int width, char pad)
{
    char digits[24];
    int len = 0;

    do {
        digits[len++] = "0123456789abcdef"[n % base];
        n /= base;
    } while (n);
    while (width-- > len)
        put(l, pad);
    while (len)
        put(l, digits[--len]);
}

static void put_string(struct line *l, const char *s)
{
    while (*s)
        put(l, *s++);
}

static void put_signed(struct line *l, long n, int width, char pad)
{
    if (n < 0)
        put(l, '-');
    put_number(l, n < 0 ? -(unsigned long)n : (unsigned long)n, 10, width, pad);
}

static void format(struct line *l, const char *fmt, va_list ap)
{
    for (; *fmt; fmt++) {
        int width = 0, wide = 0;
        char pad = ' ';

        if (*fmt != '%') {
            put(l, *fmt);
            continue;
        }
        if (*++fmt == '0')
            pad = *fmt++;
        while (*fmt >= '0' && *fmt <= '9')
            width = width * 10 + *fmt++ - '0';
        while (*fmt == 'l') {
            wide = 1;
            fmt++;
        }
        switch (*fmt) {
        case 'd': put_signed(l, wide ? va_arg(ap, long) : va_arg(ap, int), width, pad); break;
        case 'u': put_number(l, wide ? va_arg(ap, unsigned long) : va_arg(ap, unsigned int), 10, width,
                             pad); break;
        case 'x': put_number(l, wide ? va_arg(ap, unsigned long) : va_arg(ap, unsigned int), 16, width,
                             pad); break;
        case 's': put_string(l, va_arg(ap, const char *)); break;
        case 'c': put(l, (char)va_arg(ap, int)); break;
        default: put(l, *fmt); break;
        }
    }
}

void print(const char *fmt, ...)
{
    struct line l = { .len = 0 };
    va_list ap;

    va_start(ap, fmt);
    format(&l, fmt, ap);
    va_end(ap);
    if (ring)
        ring_write(l.text, l.len);
    else
        hypercall(__HYPERVISOR_console_io, CONSOLEIO_write, l.len, l.text);
}

void text(char *to, size_t room, const char *fmt, ...)
{
    struct line l = { .len = 0 };
    va_list ap;

    va_start(ap, fmt);
    format(&l, fmt, ap);
    va_end(ap);
    if (l.len >= room)
        l.len = room - 1;
    memcpy(to, l.text, l.len);
    to[l.len] = '\0';
}

void *memset(void *p, int c, size_t n)
{
    char *b = p;

    while (n--)
        *b++ = (char)c;
    return p;
}

void *memcpy(void *to, const void *from, size_t n)
{
    char *t = to;
    const char *f = from;

    while (n--)
        *t++ = *f++;
    return to;
}

int memcmp(const void *a, const void *b, size_t n)
{
    const unsigned char *x = a, *y = b;

    for (; n; n--, x++, y++)
        if (*x != *y)
            return *x - *y;
    return 0;
}

size_t strlen(const char *s)
{
    size_t n = 0;

    while (s[n])
        n++;
    return n;
}

int strncmp(const char *a, const char *b, size_t n)
{
    for (; n; n--, a++, b++)
        if (*a != *b || !*a)
            return *(const unsigned char *)a - *(const unsigned char *)b;
    return 0;
}

int strcmp(const char *a, const char *b)
{
    return strncmp(a, b, ~0UL);
}
