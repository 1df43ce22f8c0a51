# The image as the firmware starts it: build/krypton.efi, a PE file with build/krypton inside.

EFI_SRC := efi/main.c efi/config.c efi/info.c lib/string.c lib/strlcpy.c x86/mem.c
EFI_INCLUDES := efi -fshort-wchar -DGNU_EFI_USE_MS_ABI -isystem /usr/include/efi -isystem /usr/include/efi/x86_64
EFI_CFLAGS := $(filter-out -fpie,$(IMAGE_CFLAGS)) -fpic -I$(EFI_INCLUDES)
EFI_OBJ := $(EFI_SRC:%.c=$(OUT)/efi/%.o) $(OUT)/efi/efi/jump.o

all: $(OUT)/krypton.efi

$(OUT)/efi/%.o: %.c Makefile efi/efi.mk
	@mkdir -p $(@D)
	@echo "  CC      $< (efi)"
	@$(CC) $(EFI_CFLAGS) -c -o $@ $<

$(OUT)/efi/efi/jump.o: efi/jump.S efi/jump.h $(OUT)/krypton efi/efi.mk
	@mkdir -p $(@D)
	@$(CC) $(EFI_CFLAGS) -DIMAGE='"$(OUT)/krypton"' -c -o $@ $<

$(OUT)/krypton.efi: $(EFI_OBJ) efi/efi.lds
	@ld -m i386pep -T efi/efi.lds --subsystem 10 --image-base 0 --entry efi_main --no-insert-timestamp --strip-all -o $@ $(EFI_OBJ)
	@echo "  EFI     $@ ($$(stat -c %s $@) bytes)"

-include $(EFI_OBJ:.o=.d)
