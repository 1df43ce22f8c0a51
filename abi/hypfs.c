/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * hypfs_op: a tree of values that tools read by path, and write where a parameter can be changed (<xen/hypfs.h>).
 *
 * What is fixed is a flat list of whole paths; below /params are the parameters of core/params.h, below /cpupool the pools
 * there are, by number. A directory lists those whose path is its own and one name more.
 */
#include "abi/handlers.h"
#include "abi/hypercall.h"
#include "abi/identity.h"
#include "core/params.h"
#include "core/pool.h"
#include "lib/bitmap.h"
#include "lib/printf.h"
#include "lib/string.h"

#include <xen/hypfs.h>

#define PARAMS_DIR "/params"
#define POOLS_DIR  "/cpupool"

/* In each pool: what of a machine runs the vCPUs of one domain at a time. It is a CPU; no other choice is offered. */
#define GRANULARITY      "sched-gran"
#define GRANULARITY_TEXT "cpu"

struct node {
    char path[64];
    uint8_t type;       /* XEN_HYPFS_TYPE_* */
    uint32_t number;    /* of a UINT */
    const char *text;   /* of a STRING */
};

static const struct node fixed[] = {
    { "/buildinfo", XEN_HYPFS_TYPE_DIR, 0, NULL },
    { "/buildinfo/changeset", XEN_HYPFS_TYPE_STRING, 0, identity_changeset },
    { "/buildinfo/compileinfo", XEN_HYPFS_TYPE_DIR, 0, NULL },
    { "/buildinfo/compileinfo/compile_by", XEN_HYPFS_TYPE_STRING, 0, IDENTITY_COMPILED_BY },
    { "/buildinfo/compileinfo/compile_date", XEN_HYPFS_TYPE_STRING, 0, identity_version },
    { "/buildinfo/compileinfo/compile_domain", XEN_HYPFS_TYPE_STRING, 0, IDENTITY_COMPILED_BY },
    { "/buildinfo/compileinfo/compiler", XEN_HYPFS_TYPE_STRING, 0, identity_compiler },
    { "/buildinfo/config", XEN_HYPFS_TYPE_STRING, 0, identity_config },
    { "/buildinfo/version", XEN_HYPFS_TYPE_DIR, 0, NULL },
    { "/buildinfo/version/extra", XEN_HYPFS_TYPE_STRING, 0, IDENTITY_EXTRA },
    { "/buildinfo/version/major", XEN_HYPFS_TYPE_UINT, IDENTITY_MAJOR, NULL },
    { "/buildinfo/version/minor", XEN_HYPFS_TYPE_UINT, IDENTITY_MINOR, NULL },
    { POOLS_DIR, XEN_HYPFS_TYPE_DIR, 0, NULL },
    { PARAMS_DIR, XEN_HYPFS_TYPE_DIR, 0, NULL },
};

/* An entry as the caller gets it: what it is, and its content. */
struct entry {
    struct xen_hypfs_direntry head;
    uint32_t number;
    const char *text;
    char buffer[PARAM_TEXT];
};

/* ---- Finding ---- */

static void describe_string(struct entry *e, const char *text, uint32_t max_write)
{
    e->head = (struct xen_hypfs_direntry){ .type = XEN_HYPFS_TYPE_STRING, .content_len = (uint32_t)strlen(text) + 1,
                                           .max_write_len = max_write };
    e->text = text;
}

static void describe(struct entry *e, const struct node *n)
{
    e->head = (struct xen_hypfs_direntry){ .type = n->type };
    if (n->type == XEN_HYPFS_TYPE_STRING)
        describe_string(e, n->text, 0);
    if (n->type == XEN_HYPFS_TYPE_UINT)
        e->head.content_len = sizeof(e->number);
    e->number = n->number;
}

/* The name in `path` right below directory `dir`; NULL: it is elsewhere. */
static const char *name_in(const char *path, const char *dir)
{
    size_t n = strlen(dir);

    if (n > 1 && strncmp(path, dir, n) != 0)
        return NULL;
    path += n > 1 ? n : 0;
    return *path == '/' && path[1] && !strchr(path + 1, '/') ? path + 1 : NULL;
}

static bool find_param(const char *name, struct entry *e)
{
    char at[PARAM_NAME];

    for (unsigned i = 0; i < params_count(); i++) {
        bool writable = param_get(i, at, e->buffer);

        if (!strcmp(at, name)) {
            describe_string(e, e->buffer, writable ? PARAM_TEXT : 0);
            return true;
        }
    }
    return false;
}

static void pool_path(char path[sizeof(fixed[0].path)], unsigned id, const char *entry)
{
    ksnprintf(path, sizeof(fixed[0].path), POOLS_DIR "/%u%s", id, entry);
}

/* Is the path that of an entry of all pools, or with "" of their directories? *id: which pool's. */
static bool in_pool(const char *path, const char *entry, unsigned *id)
{
    char at[sizeof(fixed[0].path)];

    for (*id = 0; *id < POOLS_MAX; ++*id) {
        if (!pool_exists(*id))
            continue;
        pool_path(at, *id, entry);
        if (!strcmp(path, at))
            return true;
    }
    return false;
}

static void describe_granularity(struct entry *e)
{
    describe_string(e, GRANULARITY_TEXT, sizeof("socket"));
}

static bool find(const char *path, struct entry *e)
{
    const char *param = name_in(path, PARAMS_DIR);
    unsigned pool;

    if (!strcmp(path, "/")) {
        e->head = (struct xen_hypfs_direntry){ .type = XEN_HYPFS_TYPE_DIR };
        return true;
    }
    for (unsigned i = 0; i < ARRAY_SIZE(fixed); i++)
        if (!strcmp(path, fixed[i].path)) {
            describe(e, &fixed[i]);
            return true;
        }
    if (in_pool(path, "", &pool)) {
        e->head = (struct xen_hypfs_direntry){ .type = XEN_HYPFS_TYPE_DIR };
        return true;
    }
    if (in_pool(path, "/" GRANULARITY, &pool)) {
        describe_granularity(e);
        return true;
    }
    return param && find_param(param, e);
}

/* ---- Directories ---- */

#define LIST_HEAD offsetof(struct xen_hypfs_dirlistentry, name)
#define LIST_ENTRY(name) ROUNDUP(LIST_HEAD + strlen(name) + 1, (size_t)4)

/* Where a listing goes; without room it is only measured. Pools that come or go meanwhile do not change it. */
struct listing { guest_ptr_t at; uint32_t length; bool write, failed; uint64_t pools; };
_Static_assert(POOLS_MAX <= 64, "a bit for each pool");

static uint64_t pools_now(void)
{
    uint64_t pools = 0;

    for (unsigned id = 0; id < POOLS_MAX; id++)
        pools |= (uint64_t)pool_exists(id) << id;
    return pools;
}

/* Adds an entry; each but the last says how far the next one is. */
static void list_one(struct listing *l, const char *name, const struct entry *e, bool last)
{
    union { struct xen_hypfs_dirlistentry d; char bytes[LIST_HEAD + sizeof(fixed[0].path) + 4]; } u = { .bytes = { 0 } };
    size_t size = LIST_ENTRY(name);

    if (l->write) {
        u.d.e = e->head;
        u.d.off_next = last ? 0 : (uint16_t)size;
        strlcpy(u.bytes + LIST_HEAD, name, sizeof(u.bytes) - LIST_HEAD);
        if (guest_write(gptr_plus(l->at, l->length), &u, size))
            l->failed = true;
    }
    l->length += (uint32_t)size;
}

static unsigned entries_in(const struct listing *l, const char *dir)
{
    unsigned n = 0, pool;

    if (!strcmp(dir, PARAMS_DIR))
        n = params_count();
    else if (!strcmp(dir, POOLS_DIR))
        n = (unsigned)bitmap_weight(&l->pools, POOLS_MAX);
    else if (in_pool(dir, "", &pool))
        n = 1;
    for (unsigned i = 0; i < ARRAY_SIZE(fixed); i++)
        n += name_in(fixed[i].path, dir) != NULL;
    return n;
}

static void list_params(struct listing *l)
{
    char name[PARAM_NAME];
    struct entry e;

    for (unsigned i = 0; i < params_count(); i++) {
        bool writable = param_get(i, name, e.buffer);

        describe_string(&e, e.buffer, writable ? PARAM_TEXT : 0);
        list_one(l, name, &e, i + 1 == params_count());
    }
}

static void list_pools(struct listing *l)
{
    const struct entry e = { .head = { .type = XEN_HYPFS_TYPE_DIR, .content_len = 1 } };
    char path[sizeof(fixed[0].path)];

    for (uint64_t left = l->pools; left; left &= left - 1) {
        pool_path(path, (unsigned)__builtin_ctzll(left), "");
        list_one(l, name_in(path, POOLS_DIR), &e, !(left & (left - 1)));
    }
}

static void list(struct listing *l, const char *dir)
{
    unsigned left = entries_in(l, dir), pool;
    struct entry e;

    if (!strcmp(dir, PARAMS_DIR)) {
        list_params(l);
    } else if (!strcmp(dir, POOLS_DIR)) {
        list_pools(l);
    } else if (in_pool(dir, "", &pool)) {
        describe_granularity(&e);
        list_one(l, GRANULARITY, &e, true);
    }
    for (unsigned i = 0; i < ARRAY_SIZE(fixed); i++) {
        const char *at = name_in(fixed[i].path, dir);

        if (!at)
            continue;
        describe(&e, &fixed[i]);
        if (e.head.type == XEN_HYPFS_TYPE_DIR)
            e.head.content_len = entries_in(l, fixed[i].path);
        list_one(l, at, &e, !--left);
    }
}

/* ---- The operations ---- */

static long read_path(struct hypercall *hc, char path[XEN_HYPFS_MAX_PATHLEN])
{
    uint64_t n = hc->arg[2];

    if (n < 2 || n > XEN_HYPFS_MAX_PATHLEN)
        return refuse(hc->v, -EINVAL, "a path of %lu bytes", n);
    if (guest_read(path, gptr(hc->arg[1]), n))
        return -EFAULT;
    if (path[n - 1] || strlen(path) != n - 1 || path[0] != '/')
        return refuse(hc->v, -EINVAL, "a path that is none");
    return 0;
}

static long read_entry(struct hypercall *hc, const char *path)
{
    guest_ptr_t to = gptr(hc->arg[3]), content = gptr_plus(to, sizeof(struct xen_hypfs_direntry));
    struct listing l = { .at = content, .pools = pools_now() };
    uint64_t room = hc->arg[4];
    struct entry e;
    int err;

    if (!find(path, &e))
        return -ENOENT;
    if (e.head.type == XEN_HYPFS_TYPE_DIR) {
        list(&l, path);
        e.head.content_len = l.length;
    }
    if (room < sizeof(e.head))
        return refuse(hc->v, -ENOBUFS, "room for %lu bytes", room);
    if (guest_write(to, &e.head, sizeof(e.head)))
        return -EFAULT;
    if (room - sizeof(e.head) < e.head.content_len)
        return -ENOBUFS;
    if (e.head.type == XEN_HYPFS_TYPE_DIR) {
        l.length = 0;
        l.write = true;
        list(&l, path);
        return l.failed ? -EFAULT : 0;
    }
    err = guest_write(content, e.head.type == XEN_HYPFS_TYPE_UINT ? (const void *)&e.number : e.text, e.head.content_len);
    return err ? -EFAULT : 0;
}

static int set_granularity(unsigned pool, const char *value)
{
    if (pool_cpus(pool))
        return -EBUSY;
    return strcmp(value, GRANULARITY_TEXT) ? -EINVAL : 0;
}

static long write_entry(struct hypercall *hc, const char *path)
{
    const char *param = name_in(path, PARAMS_DIR);
    uint64_t n = hc->arg[4];
    char value[PARAM_TEXT];
    struct entry e;
    unsigned pool;

    if (!find(path, &e))
        return -ENOENT;
    if (!e.head.max_write_len)
        return refuse(hc->v, -EACCES, "%s can't be written", path);
    if (n > e.head.max_write_len)
        return refuse(hc->v, -ENOSPC, "%lu bytes for %s", n, path);
    if (!n || guest_read(value, gptr(hc->arg[3]), n))
        return n ? -EFAULT : -EINVAL;
    if (value[n - 1] || strlen(value) != n - 1)
        return refuse(hc->v, -EINVAL, "a value for %s that does not end where it says", path);
    if (param)
        return param_set(param, value);
    return in_pool(path, "/" GRANULARITY, &pool) ? set_granularity(pool, value) : -ENOENT;
}

long do_hypfs_op(struct hypercall *hc)
{
    char path[XEN_HYPFS_MAX_PATHLEN] = { 0 };
    long err;

    switch (hc->arg[0]) {
    case XEN_HYPFS_OP_get_version:
        return hc->arg[1] || hc->arg[2] || hc->arg[3] || hc->arg[4] ? -EINVAL : XEN_HYPFS_VERSION;
    case XEN_HYPFS_OP_read:
        err = read_path(hc, path);
        return err ? err : read_entry(hc, path);
    case XEN_HYPFS_OP_write_contents:
        err = read_path(hc, path);
        return err ? err : write_entry(hc, path);
    default:
        return -ENOSYS;
    }
}
