/* SPDX-License-Identifier: BSD-2-Clause */
/* Functions of the compiler's that Frama-C does not know, in C. Sums and products are of unsigned words of 64 bits. */
#ifndef TESTS_FRAMA_C_SHIM_H
#define TESTS_FRAMA_C_SHIM_H

#include <string.h> /* what it asks of its arguments is in Frama-C's, not in lib/string.h */

#define WORD_ONLY(p) (void)sizeof(char[sizeof(*(p)) == 8 ? 1 : -1])
#define __builtin_add_overflow(a, b, sum)                                                                                \
    ({ unsigned long a_ = (a), b_ = (b); WORD_ONLY(sum); *(sum) = a_ + b_; a_ + b_ < a_; })
#define __builtin_mul_overflow(a, b, product)                                                                            \
    ({ unsigned long a_ = (a), b_ = (b); WORD_ONLY(product); *(product) = a_ * b_; b_ && a_ * b_ / b_ != a_; })

/* Nothing goes on at the same time. */
#define __atomic_load_n(p, order)         (*(p))
#define __atomic_store_n(p, value, order) (*(p) = (value))

static int parity(unsigned long long x)
{
    int odd = 0;

    for (int i = 0; i < 64; i++)
        odd ^= x >> i & 1;
    return odd;
}
#define __builtin_parityll(x) parity(x)

#endif
