/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the loader told us, in one form, whichever protocol it spoke.
 *
 * A parser reads the loader's structures only through boot_at_t, copies every string, and leaves nothing in
 * struct boot_info that points into memory that somebody else owns. Numbers are copied as found: a module's
 * or a range's addresses are the loader's claim, not checked against RAM.
 */
#ifndef KRYPTON_BOOT_PARSE_BOOTINFO_H
#define KRYPTON_BOOT_PARSE_BOOTINFO_H

#include "boot/parse/e820.h"
#include "lib/types.h"

#define BOOT_CMDLINE_MAX 4096   /* bytes, with the NUL */
#define BOOT_MODULES_MAX 16
#define BOOT_EFI_RANGES_MAX 64

enum boot_protocol {
    BOOT_MULTIBOOT1 = 1,
    BOOT_MULTIBOOT2 = 2,
    BOOT_PVH = 3,
};

struct boot_module {
    uint64_t base, size;            /* maddr, bytes */
    char cmdline[BOOT_CMDLINE_MAX]; /* without the file's name */
};

/* Memory that EFI's runtime services use: as given, so it may be anything. */
struct boot_efi_range {
    uint64_t base, pages;           /* maddr, of 4 KiB */
    uint32_t type;                  /* EFI's */
};

/* Where the loader left the screen; type NONE if it said nothing. */
struct boot_screen {
    enum { SCREEN_NONE, SCREEN_PIXELS, SCREEN_TEXT } type;
    uint64_t base;                  /* maddr */
    uint32_t pitch;                 /* bytes from line to line */
    uint32_t width, height;         /* pixels; for TEXT characters */
    uint8_t bpp;
    uint8_t red_pos, red_bits, green_pos, green_bits, blue_pos, blue_bits;
};

struct boot_info {
    enum boot_protocol protocol;
    char loader[64];                /* "qemu", "GRUB 2.06-13+deb12u1"; may be "" */
    char cmdline[BOOT_CMDLINE_MAX]; /* ours, without the file's name */
    struct mem_map map;             /* as given: unsorted, may overlap; see mem_map_normalise() */
    unsigned int nr_modules;
    unsigned int modules_left_out;  /* how many more than BOOT_MODULES_MAX there were */
    struct boot_module module[BOOT_MODULES_MAX];
    uint8_t rsdp[36];               /* the loader's copy of the ACPI root pointer */
    size_t rsdp_size;               /* 0: none given, 20: ACPI 1, 36: ACPI 2 and later */
    struct boot_screen screen;
    bool efi;                       /* the firmware is EFI */
    bool efi_boot_services;         /* its boot services still run */
    uint64_t efi_system_table;      /* maddr, 0: not given */
    uint64_t efi_image_handle;      /* 0: not given */
    unsigned int nr_efi_ranges;
    unsigned int efi_ranges_left_out;       /* how many more than BOOT_EFI_RANGES_MAX there were */
    struct boot_efi_range efi_range[BOOT_EFI_RANGES_MAX];
    uint64_t load_base;             /* maddr of the image, as the loader says; 0: not said */
};

/*
 * The @len bytes of memory at @maddr for as long as the parser runs, or NULL if that is not memory that can
 * be read. Must work for any pair of values.
 */
typedef const void *(*boot_at_t)(uint64_t maddr, size_t len);

/*
 * Read the structure at @maddr, which the loader passed to the entry point, into *@info. Gives 0, or
 * -EINVAL with *@why naming what is wrong; *@info is then of no use.
 */
int multiboot1_parse(boot_at_t at, uint64_t maddr, struct boot_info *info, const char **why);
int multiboot2_parse(boot_at_t at, uint64_t maddr, struct boot_info *info, const char **why);
int pvh_parse(boot_at_t at, uint64_t maddr, struct boot_info *info, const char **why);

/*
 * The arguments in @line as the loader gave it: most loaders put the file's name in front; GRUB 2 does not,
 * and its scripts put the word "placeholder" where the name was. @loader is boot_info's. Works in place.
 */
void boot_arguments(char *line, const char *loader);

/* Copies the text at @maddr, which ends at a NUL, cut to @room > 0 bytes; -EINVAL if it runs out of memory that can be read. */
int boot_text(boot_at_t at, uint64_t maddr, char *dst, size_t room);

/* Position and width of red, green and blue, in the order of both multiboot versions. */
void boot_screen_colors(struct boot_screen *s, const uint8_t colors[6]);

#endif
