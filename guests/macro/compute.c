/* SPDX-License-Identifier: BSD-2-Clause */
/* Computing without the kernel, and a compiler that it starts: a hypervisor should not show in the former. */

#include "macro.h"

#include <fcntl.h>
#include <libtcc.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <zlib.h>

#define FILES     6
#define FUNCTIONS 40

static void op_integers(void)
{
    uint64_t x = 1;
    int i;

    for (i = 0; i < 300000; i++)
        x = x * 6364136223846793005UL + 1442695040888963407UL;
    __asm__ volatile("" : : "r"(x));
}

static void op_hash(void)
{
    uint64_t h = crc32(adler32(1, source, BIG), source, BIG);

    __asm__ volatile("" : : "r"(h));
}

static void op_copy(void)
{
    int i;

    for (i = 0; i < 16; i++) {
        memcpy(target, source, BIG);
        __asm__ volatile("" : : : "memory");
    }
}

static void op_compress(void)
{
    uLongf size = sizeof(target);

    need(compress2(target, &size, source, BIG, 6) == Z_OK && size < BIG, "compress");
}

/* ---- A small project: each file is compiled by a process of its own ---- */

static void write_source(int n)
{
    char name[32];
    FILE *f;
    int i;

    snprintf(name, sizeof(name), "/source/%d.c", n);
    need((f = fopen(name, "w")) != NULL, name);
    fprintf(f, "struct list { struct list *next; unsigned long key; char text[24]; };\n");
    for (i = 0; i < FUNCTIONS; i++)
        fprintf(f,
                "static unsigned long hash%d(const char *s) { unsigned long h = %d; while (*s) h = h * 33 ^ *s++; return h; }\n"
                "struct list *find%d(struct list *l, const char *s)\n"
                "{ for (; l; l = l->next) if (l->key == hash%d(s) && l->text[0] == *s) return l; return 0; }\n", i, n, i, i);
    need(fclose(f) == 0, name);
}

int compile(const char *number)
{
    static char text[FUNCTIONS * 400];
    char name[32];
    TCCState *s = tcc_new();
    int fd;

    snprintf(name, sizeof(name), "/source/%s.c", number);
    if (!s || (fd = open(name, O_RDONLY)) < 0 || read(fd, text, sizeof(text) - 1) <= 0)
        return 1;
    snprintf(name, sizeof(name), "/object/%s.o", number);
    tcc_set_options(s, "-nostdinc -nostdlib");
    tcc_set_output_type(s, TCC_OUTPUT_OBJ);
    return tcc_compile_string(s, text) < 0 || tcc_output_file(s, name) < 0;
}

static void op_compile(void)
{
    char number[] = "0";
    int status;
    pid_t child;

    for (; *number < '0' + FILES; ++*number) {
        child = fork();
        if (child == 0) {
            execl("/init", "/init", "compile", number, NULL);
            _exit(1);
        }
        need(child > 0 && waitpid(child, &status, 0) == child && status == 0, "compile");
    }
}

/* ---- */

static const struct row rows[] = {
    { "integers", op_integers, NULL, 20 },
    { "hash", op_hash, NULL, 10 },
    { "copy", op_copy, NULL, 20 },
    { "compress", op_compress, NULL, 4 },
    { "compile", op_compile, NULL, 6 },
    { 0 }
};

const struct row *compute_rows(void)
{
    int i;

    mkdir("/source", 0755);
    mkdir("/object", 0755);
    for (i = 0; i < FILES; i++)
        write_source(i);
    return rows;
}
