/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The log: one line each, prefix "(XEN) ", to the console and into the ring that `xl dmesg` reads; and
 * refusals.
 */
#ifndef CORE_LOG_H
#define CORE_LOG_H

#include "lib/types.h"

struct vcpu;
struct domain;

enum loglevel { LOG_ERR, LOG_WARN, LOG_INFO, LOG_DEBUG };

/* Own messages (loglvl=). The line end is added. */
void hv_log(enum loglevel level, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* Messages about what a guest did (guest_loglvl=), rate-limited per domain; starts with "dN: ". */
void guest_log(struct domain *d, enum loglevel level, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/*
 * The only way to turn a guest's request down with a reason: leaves who, what and why (LOG_DEBUG of the
 * guest's level, rate-limited), gives `err` back: `return refuse(v, -EINVAL, "port %u of %u", p, max);`
 */
long refuse(struct vcpu *v, long err, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

/*
 * The hypervisor's own state is broken: registers, stack, flight recorder; then the machine ends. Never for
 * a guest's deed.
 */
_Noreturn void panic(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

#define BUG_ON(cond) \
    do { if (unlikely(cond)) panic("BUG at %s:%d: %s", __FILE__, __LINE__, #cond); } while (0)
/* What we believe; compiled out of release builds. Never checks what a guest sent. */
#ifdef NDEBUG
#define ASSERT(cond) ((void)sizeof(!(cond)))
#else
#define ASSERT(cond) BUG_ON(!(cond))
#endif

/* ---- The ring (core/log.c), for sysctl readconsole ---- */

/*
 * Copies up to n bytes from absolute position *at (moved up to the oldest byte kept); *at becomes the next.
 */
size_t log_ring_read(uint64_t *at, char *to, size_t n);
uint64_t log_ring_start(void);
void log_ring_clear(void);
/* Raw text of a guest (console_io) into console and ring. */
void log_text(const char *s, size_t n);
/*
 * The same to the console alone: what the control domain prints must not push our own lines out of the
 * ring.
 */
void log_console(const char *s, size_t n);
/* From here on nobody waits for the log's lock: its holder may be the one that failed. */
void log_unlock_for_panic(void);
void log_levels(enum loglevel hv, enum loglevel guest);

#endif
