# Krypton: `make` builds the image; `make run` and `make check` are the two commands of the README.
#   make             build/krypton (image), build/krypton-syms (ELF with symbols)
#   make hosted      build/hosted/libkrypton.a: the same core as an ordinary process, with sanitizers
#   make unit        hosted unit tests
# Variables: CC (gcc or clang), DEBUG=1 (default: lock order and assertions checked) or DEBUG=0, OUT (build).

OUT    ?= build
CC     ?= gcc
DEBUG  ?= 1
VERSION := $(shell git describe --always --dirty 2>/dev/null || echo unknown)

.DEFAULT_GOAL := all
.PHONY: all clean
all: $(OUT)/krypton

WARN   := -Wall -Wextra -Werror -Wno-unused-parameter -Wstrict-prototypes -Wmissing-prototypes -Wvla
CORE_CFLAGS := -std=gnu11 -O2 -g -I. -D__XEN_INTERFACE_VERSION__=0x00040e00 -D__XEN_TOOLS__ $(WARN)
ifeq ($(DEBUG),0)
CORE_CFLAGS += -DNDEBUG
endif

# A release is compiled as one unit: what is called across files is in line. The linker knows what gcc writes for that, not clang.
ifeq ($(DEBUG)$(findstring clang,$(CC)),0)
LTO := -flto=auto
endif

IMAGE_CFLAGS := $(CORE_CFLAGS) -Ix86/inline -ffreestanding -fno-builtin-printf -nostdlib -fpie -include x86/hidden.h -mno-red-zone -mgeneral-regs-only \
	-fno-stack-protector -fno-asynchronous-unwind-tables -fno-omit-frame-pointer -fno-jump-tables -fno-strict-aliasing \
	-fcf-protection=none -ffile-prefix-map=$(CURDIR)=. -MMD -MP

# What builds both ways, and what only the image has.
CORE_SRC  := $(wildcard core/*.c abi/*.c x86/model/*.c)
LIB_SRC   := $(wildcard lib/*.c)
PARSE_SRC := $(wildcard boot/parse/*.c)
X86_SRC   := $(filter-out x86/offsets.c,$(wildcard x86/*.c))
X86_ASM   := $(wildcard x86/*.S)
BOOT_SRC  := $(wildcard boot/*.c)
IMAGE_SRC := $(CORE_SRC) $(LIB_SRC) $(PARSE_SRC) $(X86_SRC) $(BOOT_SRC)
IMAGE_OBJ := $(IMAGE_SRC:%.c=$(OUT)/image/%.o) $(X86_ASM:%.S=$(OUT)/image/%.S.o)

# Static libraries for the dom0 kernel's payload.
UNPACK_LIBS := -l:liblzma.a -l:libz.a -l:libzstd.a -l:liblz4.a

$(OUT)/image/%.o: %.c Makefile
	@mkdir -p $(@D)
	@echo "  CC      $<"
	@$(CC) $(IMAGE_CFLAGS) $(LTO) -c -o $@ $<

$(OUT)/image/%.S.o: %.S $(OUT)/image/offsets.h Makefile
	@mkdir -p $(@D)
	@echo "  AS      $<"
	@$(CC) $(IMAGE_CFLAGS) -I$(OUT)/image -c -o $@ $<

# Structure offsets for assembly, taken from the C compiler's own output.
$(OUT)/image/offsets.h: x86/offsets.c $(wildcard core/*.h x86/*.h x86/model/*.h) abi/hypercall.h
	@mkdir -p $(@D)
	@$(CC) $(filter-out -MMD -MP,$(IMAGE_CFLAGS)) -fno-lto -S -o $(@:.h=.s) $<
	@sed -n 's/.*@@\([A-Za-z0-9_]*\) [$$]*\(-*[0-9]*\)@@.*/#define \1 \2/p' $(@:.h=.s) > $@.new
	@cmp -s $@.new $@ || cp $@.new $@

# A file that changes when the version does.
.PHONY: version
$(OUT)/version: version
	@mkdir -p $(@D)
	@echo '$(VERSION)' | cmp -s - $@ || echo '$(VERSION)' > $@

$(OUT)/image/abi/version.o: $(OUT)/version
$(OUT)/image/abi/version.o: IMAGE_CFLAGS += -DKRYPTON_VERSION='"$(VERSION)"'

$(OUT)/krypton-syms: $(IMAGE_OBJ) x86/image.lds
	@echo "  LD      $@"
	@$(CC) $(if $(LTO),$(IMAGE_CFLAGS) $(LTO)) -nostdlib -static -Wl,--build-id=sha1 -Wl,-z,noexecstack -Wl,-z,max-page-size=16384 -Wl,--no-warn-rwx-segments \
		-Wl,-T,x86/image.lds -o $@ $(IMAGE_OBJ) -Wl,--start-group $(UNPACK_LIBS) -Wl,--end-group

$(OUT)/krypton: $(OUT)/krypton-syms
	@objcopy -O binary $< $@
	@echo "  IMAGE   $@ ($$(stat -c %s $@) bytes)"

-include $(IMAGE_OBJ:.o=.d)

include $(wildcard host/host.mk efi/efi.mk tests/tests.mk testbed/testbed.mk packaging/packaging.mk docs/docs.mk)

clean:
	rm -rf $(OUT)/image $(OUT)/hosted $(OUT)/efi $(OUT)/krypton $(OUT)/krypton.efi $(OUT)/krypton-syms
