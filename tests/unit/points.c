/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the compiler calls in code that it was told to watch for the thread sanitizer, in the place of that: each atomic
 * operation is a point (host_point), before it is done. Of loads that go through a table word by word, or look at one word
 * again and again, only the first is. Plain accesses are none: what is shared is atomic, or under a lock. This file itself is
 * compiled without the option, and what uses it is linked without.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "host/host.h"

#pragma GCC diagnostic ignored "-Wmissing-prototypes"

static void atomic_point(const volatile void *at, bool load)
{
    static uintptr_t last;
    uintptr_t from = last;

    last = load ? (uintptr_t)at : 0;
    if (host_point && !(load && (last == from || last - from == sizeof(uint64_t))))
        host_point();
}

#define FETCH(bits, T, name)                                                \
    T __tsan_atomic##bits##_fetch_##name(volatile T *p, T v, int order)     \
    {                                                                       \
        atomic_point(p, false);                                             \
        return __atomic_fetch_##name(p, v, __ATOMIC_SEQ_CST);               \
    }

#define COMPARE(bits, T, name)                                                                          \
    int __tsan_atomic##bits##_compare_exchange_##name(volatile T *p, T *was, T v, int order, int fail)  \
    {                                                                                                   \
        atomic_point(p, false);                                                                         \
        return __atomic_compare_exchange_n(p, was, v, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);       \
    }

#define ATOMIC(bits, T)                                                 \
    T __tsan_atomic##bits##_load(const volatile T *p, int order)        \
    {                                                                   \
        atomic_point(p, true);                                          \
        return __atomic_load_n(p, __ATOMIC_SEQ_CST);                    \
    }                                                                   \
    void __tsan_atomic##bits##_store(volatile T *p, T v, int order)     \
    {                                                                   \
        atomic_point(p, false);                                         \
        __atomic_store_n(p, v, __ATOMIC_SEQ_CST);                       \
    }                                                                   \
    T __tsan_atomic##bits##_exchange(volatile T *p, T v, int order)     \
    {                                                                   \
        atomic_point(p, false);                                         \
        return __atomic_exchange_n(p, v, __ATOMIC_SEQ_CST);             \
    }                                                                   \
    FETCH(bits, T, add) FETCH(bits, T, sub) FETCH(bits, T, and) FETCH(bits, T, or) FETCH(bits, T, xor) \
    COMPARE(bits, T, strong) COMPARE(bits, T, weak)

ATOMIC(8, uint8_t)
ATOMIC(16, uint16_t)
ATOMIC(32, uint32_t)
ATOMIC(64, uint64_t)

#define PLAIN(size)                             \
    void __tsan_read##size(void *p) { }         \
    void __tsan_write##size(void *p) { }        \
    void __tsan_unaligned_read##size(void *p) { } \
    void __tsan_unaligned_write##size(void *p) { }

PLAIN(1) PLAIN(2) PLAIN(4) PLAIN(8) PLAIN(16)

void __tsan_read_range(void *p, size_t n) { }
void __tsan_write_range(void *p, size_t n) { }
void __tsan_volatile_read1(void *p) { }
void __tsan_volatile_read2(void *p) { }
void __tsan_volatile_read4(void *p) { }
void __tsan_volatile_read8(void *p) { }
void __tsan_volatile_write1(void *p) { }
void __tsan_volatile_write2(void *p) { }
void __tsan_volatile_write4(void *p) { }
void __tsan_volatile_write8(void *p) { }
void __tsan_func_entry(void *p) { }
void __tsan_func_exit(void) { }
void __tsan_init(void) { }
void __tsan_atomic_thread_fence(int order) { __atomic_thread_fence(__ATOMIC_SEQ_CST); }
void __tsan_atomic_signal_fence(int order) { }
