# Tests without a machine.
#   make unit          every tests/unit/test_*.c, under the address and undefined-behaviour sanitizers
#   make unit-NAME     one of them
#   make clang-build   the whole image with clang
#   make lint          static checks, and the line between the core and the machine
#   make fuzz          every tests/fuzz/fuzz_*.c for FUZZ_SECONDS

FUZZ_SECONDS ?= 10
CLANG ?= clang-14

.PHONY: unit clang-build lint fuzz

# ---- Unit tests ----

# A test includes the .c files that it tests with fakes of its own, if it has such; all else comes from the library.
UNIT_TESTS := $(patsubst tests/unit/%.c,%,$(wildcard tests/unit/test_*.c))
UNIT_LIBS_test_cpuid        := -ldl
UNIT_LIBS_test_parse_unpack := -lz -llzma -lzstd -llz4

unit: $(UNIT_TESTS:%=$(OUT)/unit/%)
	@$(HOSTED_ENV) tests/run-unit $^

unit-%: $(OUT)/unit/test_%
	@$(HOSTED_ENV) $<

$(UNIT_TESTS:%=$(OUT)/unit/%): $(OUT)/unit/%: $(OUT)/hosted/tests/unit/%.o $(HOSTED_LIB) tests/tests.mk
	@mkdir -p $(@D)
	@echo "  LD      $@"
	@$(CC) $(HOSTED_CFLAGS) -o $@ $< $(HOSTED_LIB) -lcmocka -lpthread $(UNIT_LIBS_$*)

.SECONDARY: $(UNIT_TESTS:%=$(OUT)/hosted/tests/unit/%.o)
-include $(wildcard $(OUT)/hosted/tests/unit/*.d)
