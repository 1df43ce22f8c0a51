# The core as an ordinary process: the same sources as the image's, with host/ in the place of x86/, under sanitizers.
#   make hosted        build/hosted/libkrypton.a

HOST_SRC := $(wildcard host/*.c)
# The C library has memcpy and the like.
HOSTED_SRC := $(CORE_SRC) $(PARSE_SRC) $(filter-out lib/string.c,$(LIB_SRC)) $(HOST_SRC)
HOSTED_OBJ := $(HOSTED_SRC:%.c=$(OUT)/hosted/%.o)
HOSTED_LIB := $(OUT)/hosted/libkrypton.a

# How what is hosted is watched: other ways than this have a directory (OUT) of their own.
WATCH ?= -O1 -fsanitize=address,undefined -fno-sanitize-recover=all
HOSTED_CFLAGS := $(filter-out -O2,$(CORE_CFLAGS)) -Ihost/inline -fno-omit-frame-pointer -fno-strict-aliasing $(WATCH) -MMD -MP
# Who runs them wants to know where, and that a pointer to a dead frame of the stack is wrong.
HOSTED_ENV := ASAN_OPTIONS=detect_stack_use_after_return=1 UBSAN_OPTIONS=print_stacktrace=1

.PHONY: hosted
hosted: $(HOSTED_LIB)

$(OUT)/hosted/%.o: %.c Makefile host/host.mk
	@mkdir -p $(@D)
	@echo "  CC      $< (hosted)"
	@$(CC) $(HOSTED_CFLAGS) -c -o $@ $<

$(OUT)/hosted/abi/version.o: HOSTED_CFLAGS += -DKRYPTON_VERSION='"hosted"'

$(HOSTED_LIB): $(HOSTED_OBJ)
	@rm -f $@
	@ar rcs $@ $^
	@echo "  AR      $@"

-include $(HOSTED_OBJ:.o=.d)
