/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * How a 64-bit PV kernel asks the hypervisor: `syscall` with the number in rax and up to five arguments.
 *
 * hypercall(NR,
             ...) takes the number and zero to five arguments and gives the signed result (negative errno).
 * rcx and r11 die; the argument registers may; everything else survives.
 */
#ifndef MICRO_HYPERCALL_H
#define MICRO_HYPERCALL_H

#define __XEN_TOOLS__ 1

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <xen/xen.h>
#include <xen/errno.h>

static inline long hypercall5(unsigned long nr, unsigned long a1, unsigned long a2, unsigned long a3,
                              unsigned long a4, unsigned long a5)
{
    register unsigned long r10 __asm__("r10") = a4;
    register unsigned long r8 __asm__("r8") = a5;

    __asm__ volatile("syscall"
                     : "+a"(nr), "+D"(a1), "+S"(a2), "+d"(a3), "+r"(r10), "+r"(r8)
                     :
                     : "rcx", "r11", "memory");
    return (long)nr;
}

#define U(x) ((unsigned long)(x))
#define HC_PICK(_0, _1, _2, _3, _4, _5, name, ...) name
#define HC0(n)                hypercall5(n, 0, 0, 0, 0, 0)
#define HC1(n, a)             hypercall5(n, U(a), 0, 0, 0, 0)
#define HC2(n, a, b)          hypercall5(n, U(a), U(b), 0, 0, 0)
#define HC3(n, a, b, c)       hypercall5(n, U(a), U(b), U(c), 0, 0)
#define HC4(n, a, b, c, d)    hypercall5(n, U(a), U(b), U(c), U(d), 0)
#define HC5(n, a, b, c, d, e) hypercall5(n, U(a), U(b), U(c), U(d), U(e))
#define hypercall(...) HC_PICK(__VA_ARGS__, HC5, HC4, HC3, HC2, HC1, HC0)(__VA_ARGS__)

#endif
