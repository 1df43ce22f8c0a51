/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A file system on a disk: data that must be safe, and a data base on it. A disk answers when it likes, so these rows are what the
 * CPUs executed, not what time passed (tests/guest/bench_runs.py).
 */

#define _GNU_SOURCE
#include "macro.h"

#include <fcntl.h>
#include <sqlite3.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

static int file;
static sqlite3 *base;

static void op_file_sync(void)
{
    need(pwrite(file, source, PAGE, 0) == (ssize_t)PAGE && fdatasync(file) == 0, "file sync");
}

/* ---- */

static int count_row(void *count, int columns, char **values, char **names)
{
    (void)columns, (void)names;
    *(int *)count = atoi(values[0]);
    return 0;
}

static int sql(const char *text)
{
    int count = 0;

    need(sqlite3_exec(base, text, count_row, &count, NULL) == SQLITE_OK, text);
    return count;
}

static void sql_empty(void)
{
    sql("DELETE FROM t");
}

static void op_sql(void)
{
    char text[80];
    int i;

    sql("BEGIN");
    for (i = 0; i < 50; i++) {
        snprintf(text, sizeof(text), "INSERT INTO t VALUES (%d, 'text of row %d')", i * 7919 % 1009, i);
        sql(text);
    }
    sql("COMMIT");
    need(sql("SELECT count(*) FROM t WHERE k < 500 ORDER BY k") > 0, "SELECT");
}

/* ---- */

static const struct row rows[] = {
    { "file_sync", op_file_sync, NULL, 40 },
    { "sql", op_sql, sql_empty, 12 },
    { 0 }
};

const struct row *disk_rows(void)
{
    if (!load_drivers())
        return NULL;
    wait_for("/dev/vda");
    mkdir("/disk", 0755);
    need(mount("/dev/vda", "/disk", "ext4", 0, NULL) == 0, "mount");
    need((file = open("/disk/file", O_RDWR | O_CREAT, 0600)) >= 0, "/disk/file");
    need(sqlite3_open("/disk/base", &base) == SQLITE_OK, "sqlite3_open");
    sql("CREATE TABLE t (k INTEGER, v TEXT)");
    return rows;
}
