/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The words every file uses: fixed-width integers, pages, rounding, single reads.
 *
 * Plain C only; nothing here has state.
 */
#ifndef KRYPTON_LIB_TYPES_H
#define KRYPTON_LIB_TYPES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PAGE_SHIFT 12
#define PAGE_SIZE  (1UL << PAGE_SHIFT)
#define PAGE_MASK  (~(PAGE_SIZE - 1))

#define BIT(n) (1UL << (n))

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))

/* Each evaluates its arguments once; both must have one type. */
#define MIN(a, b)                                                       \
    ({ __typeof__(a) min_a_ = (a); __typeof__(b) min_b_ = (b);          \
       (void)(&min_a_ == &min_b_); min_a_ < min_b_ ? min_a_ : min_b_; })
#define MAX(a, b)                                                       \
    ({ __typeof__(a) max_a_ = (a); __typeof__(b) max_b_ = (b);          \
       (void)(&max_a_ == &max_b_); max_a_ > max_b_ ? max_a_ : max_b_; })

/* @to is a power of two. ROUNDUP wraps at the type's end: check first where a caller chose @x. */
#define ROUNDDOWN(x, to) ((x) & ~((__typeof__(x))(to) - 1))
#define ROUNDUP(x, to)   (((x) + ((__typeof__(x))(to) - 1)) & ~((__typeof__(x))(to) - 1))
#define DIV_ROUNDUP(x, by) (((x) + (by) - 1) / (by))

/* The structure of @type whose @member is at @ptr. */
#define container_of(ptr, type, member)                                 \
    ((type *)((char *)(1 ? (ptr) : &((type *)0)->member) - offsetof(type, member)))

#define likely(x)   __builtin_expect(!!(x), 1)
#define unlikely(x) __builtin_expect(!!(x), 0)

#define __must_check __attribute__((warn_unused_result))
#ifndef __packed
#define __packed __attribute__((packed))
#endif
#ifndef __aligned
#define __aligned(n) __attribute__((aligned(n)))
#endif
#define PRINTF_LIKE(fmt, first) __attribute__((format(printf, fmt, first)))

/* Exactly one access, not torn, not repeated and not moved over another such access by the compiler. */
#define READ_ONCE(x)     __atomic_load_n(&(x), __ATOMIC_RELAXED)
#define WRITE_ONCE(x, v) __atomic_store_n(&(x), v, __ATOMIC_RELAXED)

/*
 * size_t clamp_index(size_t index, size_t size): @index if @index < @size, else 0, computed without a branch, so a table index
 * stays inside the table even on a mispredicted path. Use it after the architectural check. @size is at most 2^63. It is the
 * machine's, x86/inline/ and host/inline/.
 */
#include "clamp_index.h"

#endif
