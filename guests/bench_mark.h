/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a benchmark tells tests/bench/count.c, which counts what a processor does between: an instruction without effect whose
 * displacement is BENCH_MARK plus one of the numbers. A mark stands outside of what is timed.
 */
#ifndef BENCH_MARK_H
#define BENCH_MARK_H

#define BENCH_MARK          0x4b420000
#define BENCH_SAMPLE_BEGINS 0
#define BENCH_SAMPLE_ENDS   1
#define BENCH_ROW_ENDS      2
#define BENCH_FORGET        3       /* the samples since the last row are of none */

#ifndef __ASSEMBLY__
#define BENCH_SAY(what) __asm__ volatile("nopl %c0(%%rax)" : : "i"(BENCH_MARK + (what)) : "memory")
#endif

#endif
