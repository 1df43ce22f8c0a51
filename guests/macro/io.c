/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Requests to a disk past all caches, as a guest's own kernel sends them. On the kernel's command line (which becomes the
 * environment): iodisk=DEVICE, whose content does not matter. Without it there are no such rows; with it there are none of `macro`.
 */

#define _GNU_SOURCE
#include "macro.h"

#include <fcntl.h>
#include <linux/aio_abi.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#define MIB   (1024 * 1024UL)
#define DEPTH 32
#define SPAN  (48 * MIB)                /* of the disk */

static char block[MIB] __attribute__((aligned(4096)));
static int disk;
static aio_context_t queue;
static uint64_t place;

/* Places that are not neighbours. */
static off_t next_place(void)
{
    place = place * 6364136223846793005UL + 1442695040888963407UL;
    return (off_t)((place >> 20) % (SPAN / MIB) * MIB);
}

static void read_disk(size_t size)
{
    need(pread(disk, block, size, next_place()) == (ssize_t)size, "read the disk");
}

static void op_read_1k(void)  { read_disk(1024); }
static void op_read_4k(void)  { read_disk(4096); }
static void op_read_64k(void) { read_disk(65536); }
static void op_read_1m(void)  { read_disk(MIB); }

static void op_read_4k_next(void)
{
    static off_t at;

    need(pread(disk, block, 4096, at) == 4096, "read the disk");
    at = (off_t)((unsigned long)at + 4096) % (off_t)SPAN;
}

static void write_disk(size_t size)
{
    need(pwrite(disk, block, size, next_place()) == (ssize_t)size, "write the disk");
}

static void op_write_4k(void)  { write_disk(4096); }
static void op_write_64k(void) { write_disk(65536); }

static void op_read_4k_32_at_once(void)
{
    struct iocb blocks[DEPTH], *list[DEPTH];
    struct io_event events[DEPTH];
    int i;

    memset(blocks, 0, sizeof(blocks));
    for (i = 0; i < DEPTH; i++) {
        blocks[i] = (struct iocb){ .aio_lio_opcode = IOCB_CMD_PREAD, .aio_fildes = (uint32_t)disk, .aio_buf = (uint64_t)(block + 4096 * i),
                                   .aio_nbytes = 4096, .aio_offset = next_place() };
        list[i] = &blocks[i];
    }
    need(syscall(SYS_io_submit, queue, (long)DEPTH, list) == DEPTH, "io_submit");
    need(syscall(SYS_io_getevents, queue, (long)DEPTH, (long)DEPTH, events, NULL) == DEPTH, "io_getevents");
}

/* ---- */

static const struct row rows[] = {
    { "read_1k", op_read_1k, NULL, 60 },
    { "read_4k", op_read_4k, NULL, 60 },
    { "read_4k_next", op_read_4k_next, NULL, 60 },
    { "read_64k", op_read_64k, NULL, 40 },
    { "read_1m", op_read_1m, NULL, 20 },
    { "write_4k", op_write_4k, NULL, 60 },
    { "write_64k", op_write_64k, NULL, 40 },
    { "read_4k_32_at_once", op_read_4k_32_at_once, NULL, 20 },
    { 0 }
};

const struct row *io_rows(void)
{
    const char *device = getenv("iodisk");

    wait_for(device);
    need((disk = open(device, O_RDWR | O_DIRECT)) >= 0, device);
    need(syscall(SYS_io_setup, DEPTH, &queue) == 0, "io_setup");
    return rows;
}
