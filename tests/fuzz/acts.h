/* SPDX-License-Identifier: BSD-2-Clause */
/* What guests do beside calling: stores, entries of their grant tables, and instructions that trap. */
#ifndef TESTS_FUZZ_ACTS_H
#define TESTS_FUZZ_ACTS_H

#include "core/bounce.h"
#include "core/guest_trap.h"

#include "tests/fuzz/grammar.h"

static void store(struct guest *self, struct vcpu *v)
{
    uint64_t va = va_of(byte() % PAGES) + 8 * (uint64_t)byte();

    host_guest_store(v, va, word(self));
}

/* An entry of its own grant table, in the layout of its version or the other. */
static void grant(struct guest *self)
{
    static const uint16_t flags[] = {
        GTF_permit_access, GTF_permit_access | GTF_readonly, GTF_accept_transfer, GTF_transitive,
        GTF_permit_access | GTF_sub_page, 0, GTF_permit_access, GTF_permit_access | GTF_reading,
    };
    uint8_t k = byte(), ref = (uint8_t)a_ref(byte()), other = byte();
    mfn_t m = grants_frame(self->d, false, 0);
    uint16_t f = flags[k & 7], domid = k & 0x60 ? guests[self == &guests[0]].d->id : other & 3;
    uint8_t *at = machine_frame(m);
    uint32_t frame = (uint32_t)self->m[byte() % PAGES].n;

    if (!at)
        return;
    if (k & 8)
        frame = (uint32_t)word(self);
    at += (grants_version(self->d) == 2) ^ (k == 0xff) ? 16u * ref : 8u * ref;
    memcpy(at, &f, 2);
    memcpy(at + 2, &domid, 2);
    memcpy(at + 4, &frame, 4);
    if (grants_version(self->d) == 2) { /* a whole page's frame, a part of one, or whom to ask and for what */
        memcpy(at + 8, &frame, 4);
        memset(at + 12, 0, 4);
        if (f & GTF_sub_page || f == GTF_transitive) {
            uint16_t first = f == GTF_transitive ? guests[other & 1].d->id : (uint16_t)(other * 16), second = byte() * 16;

            memcpy(at + 4, &first, 2);
            memcpy(at + 6, &second, 2);
            if (f == GTF_transitive)
                memset(at + 8, other % 24, 1), memset(at + 9, 0, 3);
        }
    }
}

/* Instructions that the hypervisor stands in for. */
static const uint8_t code[][8] = {
    "\x48\x89\x07", "\x48\x87\x07", "\xf0\x48\x0f\xb1\x0f", "\x48\x21\x07", "\x48\x09\x07", "\x48\xab", "\x48\xa5", "\x89\x47\x04",
    "\xf3\x48\xab", "\x48\x0f\xc1\x07", "\x48\x0f\xab\x07", "\x0f\xc7\x0f", "\x0f\x20\xd8", "\x0f\x22\xd8", "\x0f\x22\xc0", "\x0f\x20\xe0",
    "\x0f\x22\xe0", "\xec", "\xee", "\xed", "\xef", "\xe4\x71", "\xe6\x70", "\x6c", "\xf3\x6c", "\x6e", "\xf3\x6f",
    "\x0f\x32", "\x0f\x30", "\x0f\xa2", "\x0f\x0b\x78\x65\x6e\x0f\xa2", "\x0f\x0b", "\xcd\x80", "\xf4", "\x0f\x09", "\x0f\x31",
    "\x0f\x06", "\x0f\x01\xd1", "\x0f\x01\x3f", "\x0f\x21\xf8", "\x0f\x23\xf8", "\x0f\x23\xc0", "\xfa", "\xfb", "\x0f\x33",
    "\x0f\x01\xf9", "\x0f\x01\xd0", "\xc6\x07\x01", "\x66\x89\x07", "\x80\x07\x01", "\x48\xff\x07", "\x48\xf7\x1f", "\x48\x83\x17\x01",
};

static const uint32_t msrs[] = {
    0x10, 0x1b, 0x8b, 0xfe, 0xcd, 0xce, 0x48, 0x49, 0x140, 0x174, 0x1a0, 0x1d9, 0x277, 0x2ff, 0x309, 0x38f, 0x606, 0x802, 0xc0000080,
    0xc0000081, 0xc0000082, 0xc0000084, 0xc0000100, 0xc0000101, 0xc0000102, 0xc0000103, 0xc0010015, 0xc001001f, 0x40000000,
};

/* Registers and instruction of what is about to trap. */
static void set_scene(struct guest *self, struct vcpu *v)
{
    struct cpu_regs *r = v->regs;
    uint8_t k = byte();
    uint64_t bytes;

    memcpy(&bytes, code[k % ARRAY_SIZE(code)], 8);
    if (k >= 0xf0)
        bytes = raw(8);
    put(v, va_of(STACK), bytes, 8);
    r->rip = va_of(STACK);
    r->rsp = v->kernel_mode ? va_of(STACK) + 2048 : word(self);
    r->cs = FLAT_KERNEL_CS;
    r->rflags = X86_EFLAGS_IF | X86_EFLAGS_MBS | (byte() & 1 ? X86_EFLAGS_TF : 0);
    r->rdi = va_of(byte() & 7) + 8 * (uint64_t)byte();
    r->rsi = va_of(ARGS);
    r->rax = byte() & 1 ? table_entry(self) : word(self);
    r->rcx = k & 1 ? table_entry(self) : k & 2 ? msrs[byte() % ARRAY_SIZE(msrs)] : word(self);
    r->rdx = word(self);
}

static void trap(struct guest *self, struct vcpu *v)
{
    uint8_t k = byte();

    set_scene(self, v);
    this_pcpu()->budget = 1u << (k & 7) * 2;
    switch (k >> 4) {
    case 0: case 1: case 2: case 3: case 4: guest_trap(v, X86_VEC_GP, k & 8 ? (unsigned)byte() << 3 | 2 : 0); break;
    case 5: guest_trap(v, X86_VEC_UD, NO_ERROR_CODE); break;
    case 6: guest_trap(v, byte() % 20, (uint32_t)word(self)); break;
    case 7: bounce_syscall(v); break;
    case 8: bounce_sysenter(v); break;
    case 9: bounce_syscall32(v); break;
    case 10: bounce_failsafe(v); break;
    default: guest_page_fault(v, v->regs->rdi, k & 8 ? X86_PFEC_PRESENT | X86_PFEC_WRITE : (uint32_t)(k & 31)); break;
    }
    leave(v, 1u << (k & 15));
}

#endif
