/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * krypton.efi: the firmware starts it, it reads its configuration, dom0's kernel and its initrd from where it lies itself, and
 * enters the hypervisor, which is inside of it, by the way that GRUB's multiboot 2 takes.
 *
 * All that outlives the boot services is below 4 GiB and outside of the image's place, to which efi/jump.S copies it last.
 */
#include <efi.h>

#include "boot/parse/multiboot.h"
#include "efi/config.h"
#include "efi/info.h"
#include "efi/jump.h"
#include "lib/string.h"
#include "lib/types.h"

#define PATH_MAX      1024u             /* characters */
#define FILE_MAX      (1ull << 30)      /* bytes */
#define ADDRESS_MAX   0xffffffffull
#define TAKEN_MAX     32u
#define MAP_ROOM      (64u << 10)
#define INFO_ROOM     (MAP_ROOM + (16u << 10))
#define LOADER_NAME   "Krypton's EFI loader"

/* The multiboot 1 header at the image's start: where it belongs. */
struct image_header {
    uint32_t magic, flags, checksum, header, start, load_end, end, entry;
};

struct pages {
    EFI_PHYSICAL_ADDRESS base;
    UINTN count;
};

struct file {
    const char *data;
    uint32_t size;
};

extern const char image[], image_end[];
EFI_STATUS EFIAPI efi_main(EFI_HANDLE handle, EFI_SYSTEM_TABLE *table);

static EFI_SYSTEM_TABLE *st;
static EFI_BOOT_SERVICES *bs;
static EFI_FILE_HANDLE volume;
static struct pages taken[TAKEN_MAX];
static unsigned int nr_taken;
static char directory[PATH_MAX], own_name[PATH_MAX];    /* of this image */
static struct efi_config config;
static struct info info;

static const struct image_header *header(void)
{
    return (const struct image_header *)image;
}

/* ---- What is said ---- */

static void print(const char *s)
{
    CHAR16 c[2] = { 0, 0 };

    for (; *s; s++) {
        c[0] = (CHAR16)*s;
        st->ConOut->OutputString(st->ConOut, c);
    }
}

/* A line; gives false, as what has failed does. */
static bool complain(const char *what, const char *about)
{
    print("Krypton: ");
    print(about);
    print(about[0] ? ": " : "");
    print(what);
    print("\r\n");
    return false;
}

/* ---- Memory ---- */

static bool in_place_of_image(EFI_PHYSICAL_ADDRESS base, UINTN pages)
{
    return base < header()->end && header()->start < base + (pages << PAGE_SHIFT);
}

/* Pages below 4 GiB, outside of the image's place; what was inside stays taken until the end. NULL without memory. */
static void *take(UINTN bytes, EFI_MEMORY_TYPE type)
{
    UINTN pages = DIV_ROUNDUP(bytes, PAGE_SIZE);

    while (nr_taken < TAKEN_MAX) {
        EFI_PHYSICAL_ADDRESS base = ADDRESS_MAX;

        if (EFI_ERROR(bs->AllocatePages(AllocateMaxAddress, type, pages, &base)))
            break;
        taken[nr_taken++] = (struct pages){ base, pages };
        if (!in_place_of_image(base, pages))
            return (void *)base;
    }
    complain("not enough memory below 4 GiB", "");
    return NULL;
}

static void give_back(void)
{
    while (nr_taken) {
        nr_taken--;
        bs->FreePages(taken[nr_taken].base, taken[nr_taken].count);
    }
}

/* ---- Files ---- */

/* Appends to a path; what is not ASCII is no name for a file of ours. */
static bool append(char *path, const CHAR16 *part, size_t n)
{
    size_t len = strlen(path);

    for (size_t i = 0; i < n && part[i]; i++) {
        if (part[i] > 0x7e || len + 2 > PATH_MAX)
            return false;
        path[len++] = (char)part[i];
        path[len] = 0;
    }
    return true;
}

/* Where this image is: its path, cut in two at the last separator. */
static bool find_self(EFI_LOADED_IMAGE *self)
{
    EFI_GUID fs_guid = SIMPLE_FILE_SYSTEM_PROTOCOL;
    EFI_FILE_IO_INTERFACE *fs;
    EFI_DEVICE_PATH *node = self->FilePath;
    char *cut;

    if (!node || EFI_ERROR(bs->HandleProtocol(self->DeviceHandle, &fs_guid, (void **)&fs)) ||
        EFI_ERROR(fs->OpenVolume(fs, &volume)))
        return complain("it was not started from a file system", "");
    for (; !IsDevicePathEnd(node); node = NextDevicePathNode(node)) {
        CHAR16 part[PATH_MAX];
        size_t n = (size_t)DevicePathNodeLength(node) - sizeof(*node);

        if (DevicePathType(node) != MEDIA_DEVICE_PATH || DevicePathSubType(node) != MEDIA_FILEPATH_DP)
            continue;
        if (n > sizeof(part))
            return complain("the path to it is too long", "");
        memcpy(part, node + 1, n);
        if (!append(directory, part, n / sizeof(*part)))
            return complain("the path to it is too long, or not ASCII", "");
    }
    cut = directory + strlen(directory);
    while (cut > directory && cut[-1] != '\\' && cut[-1] != '/')
        cut--;
    strlcpy(own_name, cut, sizeof(own_name));
    *cut = 0;
    return true;
}

/* @name, up to its first blank, beside this image; or where it says if it begins with a separator. */
static EFI_FILE_HANDLE open(const char *name)
{
    CHAR16 path[2 * PATH_MAX];
    EFI_FILE_HANDLE file;
    size_t n = 0;

    for (const char *d = name[0] == '\\' || name[0] == '/' ? "" : directory; *d; d++)
        path[n++] = (CHAR16)*d;
    for (; *name && *name != ' ' && n < ARRAY_SIZE(path) - 1; name++)
        path[n++] = *name == '/' ? '\\' : (CHAR16)(uint8_t)*name;
    path[n] = 0;
    return EFI_ERROR(volume->Open(volume, &file, path, EFI_FILE_MODE_READ, 0)) ? NULL : file;
}

/* All of an open file, which is closed. */
static bool read(EFI_FILE_HANDLE file, const char *name, struct file *f)
{
    EFI_GUID info_guid = EFI_FILE_INFO_ID;
    union { EFI_FILE_INFO info; char room[sizeof(EFI_FILE_INFO) + 2 * PATH_MAX]; } u;
    UINTN size = sizeof(u), done = 0;
    char *to = NULL;

    if (EFI_ERROR(file->GetInfo(file, &info_guid, &size, &u)) || u.info.FileSize == 0 || u.info.FileSize > FILE_MAX)
        complain("it is empty, or larger than 1 GiB", name);
    else
        to = take(u.info.FileSize, EfiLoaderData);
    while (to && done < u.info.FileSize) {
        UINTN n = u.info.FileSize - done;

        if (EFI_ERROR(file->Read(file, &n, to + done)) || n == 0)
            break;
        done += n;
    }
    file->Close(file);
    if (!to || done < u.info.FileSize)
        return complain("can't be read", name);
    *f = (struct file){ to, (uint32_t)done };
    return true;
}

static bool read_module(const char *name, struct file *f)
{
    EFI_FILE_HANDLE file = open(name);

    return file ? read(file, name, f) : complain("there is no such file", name);
}

/* ---- What to boot ---- */

/* The next word of the command line, as ASCII; "" at its end, and from what is no text on. */
static void next_word(const CHAR16 **at, const CHAR16 *end, char *word, size_t room)
{
    size_t n = 0;

    while (*at < end && **at == ' ')
        ++*at;
    for (; *at < end && **at > ' ' && **at < 0x7f && n + 1 < room; ++*at)
        word[n++] = (char)**at;
    word[n] = 0;
}

/* [this image's name] [-cfg=FILE] [SECTION]; what the firmware's boot manager leaves there besides is no text. */
static void read_command_line(const EFI_LOADED_IMAGE *self, char *section, char *file)
{
    const CHAR16 *at = self->LoadOptions, *end = at + self->LoadOptionsSize / sizeof(*at);
    char word[PATH_MAX];

    section[0] = file[0] = 0;
    for (next_word(&at, end, word, sizeof(word)); word[0]; next_word(&at, end, word, sizeof(word))) {
        size_t n = strlen(word);

        if (strncmp(word, "-cfg=", 5) == 0)
            strlcpy(file, word + 5, PATH_MAX);
        else if (n > 4 && (strcmp(word + n - 4, ".efi") == 0 || strcmp(word + n - 4, ".EFI") == 0))
            continue;
        else
            strlcpy(section, word, PATH_MAX);
    }
}

static EFI_FILE_HANDLE open_config(char *name)
{
    EFI_FILE_HANDLE file = NULL;

    if (name[0])
        return open(name);
    while (!file && efi_config_next_name(own_name, name, PATH_MAX))
        file = open(name);
    return file;
}

static bool read_config(const EFI_LOADED_IMAGE *self)
{
    static char section[PATH_MAX], name[PATH_MAX];
    EFI_FILE_HANDLE file;
    struct file text;
    const char *why;
    bool given;

    read_command_line(self, section, name);
    given = name[0];
    file = open_config(name);
    if (!file)
        return complain("there is no configuration file beside this image", given ? name : own_name);
    if (!read(file, name, &text))
        return false;
    if (efi_config_read(text.data, text.size, section, &config, &why))
        return complain(why, name);
    return true;
}

/* ---- What the hypervisor is told ---- */

static bool same_guid(const EFI_GUID *a, const EFI_GUID *b)
{
    return memcmp(a, b, sizeof(*a)) == 0;
}

static void tell_acpi(void)
{
    EFI_GUID acpi1 = ACPI_TABLE_GUID, acpi2 = ACPI_20_TABLE_GUID;

    for (UINTN i = 0; i < st->NumberOfTableEntries; i++) {
        const EFI_CONFIGURATION_TABLE *t = &st->ConfigurationTable[i];

        if (same_guid(&t->VendorGuid, &acpi2))
            info_acpi(&info, t->VendorTable, 36);
        else if (same_guid(&t->VendorGuid, &acpi1))
            info_acpi(&info, t->VendorTable, 20);
    }
}

/* Position and width of the bits of @mask. */
static void color(uint8_t *c, uint32_t mask)
{
    c[0] = mask ? (uint8_t)__builtin_ctz(mask) : 0;
    for (c[1] = 0; mask; mask &= mask - 1)
        c[1]++;
}

static void tell_screen(void)
{
    EFI_GUID guid = EFI_GRAPHICS_OUTPUT_PROTOCOL_GUID;
    EFI_GRAPHICS_OUTPUT_PROTOCOL *out;
    const EFI_GRAPHICS_OUTPUT_MODE_INFORMATION *mode;
    EFI_PIXEL_BITMASK mask = { 0xff, 0xff00, 0xff0000, 0 };
    struct info_screen s = { .bits = 32 };

    if (EFI_ERROR(bs->LocateProtocol(&guid, NULL, (void **)&out)) || !out->Mode || !out->Mode->Info)
        return;
    mode = out->Mode->Info;
    if (mode->PixelFormat == PixelBltOnly)
        return;
    if (mode->PixelFormat == PixelBlueGreenRedReserved8BitPerColor)
        mask = (EFI_PIXEL_BITMASK){ 0xff0000, 0xff00, 0xff, 0 };
    else if (mode->PixelFormat == PixelBitMask)
        mask = mode->PixelInformation;
    color(&s.color[0], mask.RedMask);
    color(&s.color[2], mask.GreenMask);
    color(&s.color[4], mask.BlueMask);
    s.base = out->Mode->FrameBufferBase;
    s.width = mode->HorizontalResolution;
    s.height = mode->VerticalResolution;
    s.pitch = mode->PixelsPerScanLine * 4;
    info_screen(&info, &s);
}

static bool tell(const struct file *kernel, const struct file *ramdisk)
{
    void *room = take(INFO_ROOM, EfiLoaderData);
    static char line[PATH_MAX + CONFIG_VALUE_MAX];

    if (!room)
        return false;
    info_begin(&info, room, INFO_ROOM);
    strlcpy(line, own_name[0] ? own_name : "krypton.efi", sizeof(line));
    strlcpy(line + strlen(line), " ", 2);
    strlcpy(line + strlen(line), config.options, sizeof(line) - strlen(line));
    info_command_line(&info, line);
    info_loader(&info, LOADER_NAME);
    info_module(&info, (uint32_t)(uintptr_t)kernel->data, kernel->size, config.kernel);
    if (ramdisk->data)
        info_module(&info, (uint32_t)(uintptr_t)ramdisk->data, ramdisk->size, config.ramdisk);
    info_system_table(&info, (uint64_t)(uintptr_t)st);
    tell_acpi();
    tell_screen();
    return info.size + MAP_ROOM + 64 <= INFO_ROOM && !info.full ? true : complain("there is too much to tell", "");
}

/* ---- The end of the boot services ---- */

/* The jump's page tables: four times 512 pages of 2 MiB, below one table of each other level that the CPU uses now. */
static uint64_t make_tables(uint64_t (*t)[512])
{
    uint64_t cr4;

    for (uint64_t i = 0; i < 2048; i++)
        t[i / 512][i % 512] = i << 21 | 0x83;   /* present, writable, large */
    memset(t[4], 0, 3 * PAGE_SIZE);
    for (unsigned int i = 0; i < 4; i++)
        t[4][i] = (uint64_t)(uintptr_t)t[i] | 3;
    t[5][0] = (uint64_t)(uintptr_t)t[4] | 3;
    t[6][0] = (uint64_t)(uintptr_t)t[5] | 3;
    __asm__ volatile ("mov %%cr4, %0" : "=r" (cr4));
    return (uint64_t)(uintptr_t)(cr4 & 1 << 12 ? t[6] : t[5]);
}

static bool is_free_then(uint32_t type)
{
    return type == EfiLoaderCode || type == EfiLoaderData || type == EfiBootServicesCode || type == EfiBootServicesData ||
           type == EfiConventionalMemory;
}

/* Is all of the image's place memory that is free once boot services are over? */
static bool has_place(const char *map, UINTN size, UINTN step)
{
    uint64_t found = 0, start = header()->start, end = header()->end;

    for (UINTN at = 0; at + step <= size; at += step) {
        const EFI_MEMORY_DESCRIPTOR *d = (const EFI_MEMORY_DESCRIPTOR *)(map + at);
        uint64_t from = MAX((uint64_t)d->PhysicalStart, start);
        uint64_t to = MIN((uint64_t)d->PhysicalStart + (d->NumberOfPages << PAGE_SHIFT), end);

        if (is_free_then(d->Type) && from < to)
            found += to - from;
    }
    return found == end - start;
}

/* The map changes while it is asked for, and boot services end only for who has the last one. */
static bool end_boot_services(EFI_HANDLE handle)
{
    char *map = take(MAP_ROOM, EfiLoaderData);

    for (unsigned int i = 0; map && i < 8; i++) {
        UINTN size = MAP_ROOM, key, step;
        UINT32 version;

        if (EFI_ERROR(bs->GetMemoryMap(&size, (EFI_MEMORY_DESCRIPTOR *)map, &key, &step, &version)))
            return complain("the memory map is too large", "");
        if (!has_place(map, size, step))
            return complain("the firmware keeps memory where the hypervisor must be", "");
        if (EFI_ERROR(bs->ExitBootServices(handle, key)))
            continue;
        info_efi_map(&info, map, (uint32_t)size, (uint32_t)step, version);
        return info_end(&info);
    }
    return map ? complain("the firmware does not let go", "") : false;
}

static bool boot(EFI_HANDLE handle, EFI_LOADED_IMAGE *self)
{
    struct file kernel, ramdisk = { NULL, 0 };
    struct jump *jump;
    char *copy, *code;
    void *tables;

    if (!find_self(self) || !read_config(self) || !read_module(config.kernel, &kernel) ||
        (config.ramdisk[0] && !read_module(config.ramdisk, &ramdisk)))
        return false;
    copy = take((UINTN)(image_end - image), EfiLoaderData);
    tables = take(JUMP_TABLES * PAGE_SIZE, EfiLoaderData);
    code = take(PAGE_SIZE + JUMP_CODE_MAX, EfiLoaderCode);
    if (!copy || !tables || !code || !tell(&kernel, &ramdisk))
        return false;
    memcpy(copy, image, (size_t)(image_end - image));
    memcpy(code, jump_code, (size_t)(jump_code_end - jump_code));
    jump = (struct jump *)(code + JUMP_CODE_MAX);
    *jump = (struct jump){ .root = make_tables(tables), .to = header()->start, .from = (uint64_t)(uintptr_t)copy,
                           .size = header()->load_end - header()->start, .clear = header()->end - header()->load_end,
                           .entry = header()->entry, .info = (uint64_t)(uintptr_t)info.data };
    if (!end_boot_services(handle))
        return false;
    ((void (*)(const struct jump *))(uintptr_t)code)(jump);
    __builtin_unreachable();
}

EFI_STATUS EFIAPI efi_main(EFI_HANDLE handle, EFI_SYSTEM_TABLE *table)
{
    EFI_GUID guid = LOADED_IMAGE_PROTOCOL;
    EFI_LOADED_IMAGE *self;

    st = table;
    bs = table->BootServices;
    if (EFI_ERROR(bs->HandleProtocol(handle, &guid, (void **)&self)))
        return EFI_LOAD_ERROR;
    (void)boot(handle, self);
    give_back();
    return EFI_LOAD_ERROR;
}
