# Tests without a machine.
#   make unit          every tests/unit/test_*.c, under the address and undefined-behaviour sanitizers
#   make unit-NAME     one of them
#   make small-scope   test_small_scope with sequences of four: some minutes
#   make schedules     test_schedules with atomic operations as points too, in both worlds, and two changes of turn (PREEMPTIONS=1: one)
#   make tsan          tests with threads, under the thread sanitizer
#   make msan          unit tests and the corpora under the memory sanitizer: what guests get is initialised
#   make model         tests/model/*.pml, exhaustively, with Spin
#   make frama-c       tests/frama-c/*.c: decoders, parsers and arithmetic, free of run-time errors for all inputs, with Eva
#   make clang-build   the whole image with clang
#   make lint          static checks, the line between the core and the machine, and whether the documents say what is there
#   make coverage      the unit tests once more: which lines and branches do they run? build/coverage/uncovered lists the others
#   make seeded        do the tests find bugs? tests/seeded/*.patch, each put into a copy of the tree (BUGS='01 02': some)
#   make figures       what the rungs came to, in figures: unit tests, coverage, models, fuzzers, hostile cases, soaks (NIGHT=1:
#                      those that take long too, and longer bounds; RUNGS='unit fuzz': some). `make check` ends with such a page
#   make fuzz          every tests/fuzz/fuzz_*.c for FUZZ_SECONDS

FUZZ_SECONDS ?= 10
CLANG ?= clang-14

# What a fuzzer has to replay in `make unit`.
REPLAYS := $(patsubst tests/fuzz/corpus/%,%,$(wildcard tests/fuzz/corpus/fuzz_*))

.PHONY: unit small-scope schedules tsan msan coverage model frama-c seeded figures clang-build lint fuzz

# ---- Unit tests ----

# A test includes the .c files that it tests with fakes of its own, if it has such; all else comes from the library.
UNIT_TESTS := $(patsubst tests/unit/%.c,%,$(wildcard tests/unit/test_*.c))
comma := ,
UNIT_LIBS_test_cpuid        := -ldl
# What another CPU does between the clock and the stamp, and while this one waits.
UNIT_LIBS_test_frame        := -Wl$(comma)--wrap=machine_flush_stamp -Wl$(comma)--wrap=machine_relax
# The points that fail: calls from one file to another, which is what the linker can turn.
UNIT_LIBS_test_fail         := $(patsubst %,-Wl$(comma)--wrap=%,hv_alloc hv_pages frames_alloc_on frames_alloc_pages machine_copy_from_guest \
                                 machine_copy_to_guest)
UNIT_LIBS_test_parse_unpack := -lz -llzma -lzstd -llz4

unit: $(UNIT_TESTS:%=$(OUT)/unit/%) $(REPLAYS:%=$(OUT)/unit/replay_%)
	@$(HOSTED_ENV) tests/run-unit $^

unit-%: $(OUT)/unit/test_%
	@$(HOSTED_ENV) $<

$(UNIT_TESTS:%=$(OUT)/unit/%): $(OUT)/unit/%: $(OUT)/hosted/tests/unit/%.o $(HOSTED_LIB) tests/tests.mk
	@mkdir -p $(@D)
	@echo "  LD      $@"
	@$(CC) $(HOSTED_CFLAGS) -o $@ $< $(HOSTED_LIB) -lcmocka -lpthread $(UNIT_LIBS_$*)

.SECONDARY: $(UNIT_TESTS:%=$(OUT)/hosted/tests/unit/%.o)
-include $(wildcard $(OUT)/hosted/tests/unit/*.d)

small-scope: $(OUT)/unit/test_small_scope
	@SMALL_SCOPE_DEPTH=4 $(HOSTED_ENV) $<

# The core is watched as for the thread sanitizer, but what it calls is tests/unit/points.c. The pretended machine is not: it has
# locks that nobody else may wait for.
PREEMPTIONS ?= 2
schedules:
	@$(MAKE) --no-print-directory OUT=$(OUT)/schedules WATCH='-O2 -fsanitize=thread' UNWATCHED='$(HOST_SRC:%.c=%.o) tests/unit/test_schedules.o' \
		UNIT_LIBS_test_schedules='$(OUT)/schedules/points.o -fno-sanitize=thread' $(OUT)/schedules/points.o $(OUT)/schedules/unit/test_schedules
	@SCHEDULE_WORLDS=2 SCHEDULE_PREEMPTIONS=$(PREEMPTIONS) $(OUT)/schedules/unit/test_schedules

$(UNWATCHED:%=$(OUT)/hosted/%): HOSTED_CFLAGS := $(filter-out -fsanitize=thread,$(HOSTED_CFLAGS))
$(OUT)/points.o: tests/unit/points.c host/host.h
	@mkdir -p $(@D)
	@$(CC) $(filter-out -fsanitize=thread,$(HOSTED_CFLAGS)) -c -o $@ $<

# Without what takes long and goes through the same lines as the others, and what calls libraries that are not watched.
COVERED := $(filter-out test_preempt test_schedules test_small_scope test_parse_unpack,$(UNIT_TESTS))

# The other sanitizers need clang, and a directory each. In one program they do not go together.
THREADED := $(shell grep -l pthread_create tests/unit/test_*.c | sed 's,.*/,,; s,\.c,,')
tsan:
	@TSAN_OPTIONS=suppressions=tests/tsan.supp $(MAKE) --no-print-directory CC=$(CLANG) OUT=$(OUT)/tsan \
		WATCH='-O1 -fsanitize=thread' UNIT_TESTS='$(THREADED)' unit

msan:
	@$(MAKE) --no-print-directory CC=$(CLANG) OUT=$(OUT)/msan \
		WATCH='-O1 -fsanitize=memory -fsanitize-memory-track-origins -fno-sanitize-recover=all' UNIT_TESTS='$(COVERED)' unit

# Threads count too.
COVERAGE := -O1 --coverage -fprofile-update=atomic
coverage:
	@mkdir -p $(OUT)/coverage
	@find $(OUT)/coverage -name '*.gcda' -delete
	@$(MAKE) --no-print-directory OUT=$(OUT)/coverage WATCH='$(COVERAGE)' UNIT_TESTS='$(COVERED)' unit > $(OUT)/coverage.log 2>&1 || \
		{ tail -n 40 $(OUT)/coverage.log; exit 1; }
	@tests/coverage $(OUT)/coverage

model:
	@tests/model/run.sh $(OUT)/model

# As many packages as all the rest: only for those who want it. `make check` installs it at its beginning.
FRAMA_C := frama-c-base
frama-c:
	@testbed/setup.sh $(FRAMA_C)
	@tests/frama-c/run.sh $(OUT)/frama-c

seeded:
	@nice tests/seeded/run $(OUT)/seeded $(BUGS)

# What they need of machines is built by `make check`.
figures:
	@tests/figures $(OUT)/figures $(if $(NIGHT),--night) $(RUNGS)

$(REPLAYS:%=$(OUT)/unit/replay_%): $(OUT)/unit/replay_%: $(OUT)/hosted/tests/fuzz/%.o tests/fuzz/replay.c $(HOSTED_LIB)
	@echo "  LD      $@"
	@$(CC) $(HOSTED_CFLAGS) -DREPLAY='"tests/fuzz/corpus/$*"' -MF $@.d -o $@ $(filter %.c %.o %.a,$^)

.SECONDARY: $(REPLAYS:%=$(OUT)/hosted/tests/fuzz/%.o)
-include $(wildcard $(OUT)/hosted/tests/fuzz/*.d)

# ---- The other compiler, and static checks ----

clang-build:
	@$(MAKE) --no-print-directory CC=$(CLANG) OUT=$(OUT)/clang all

# Linker symbols are subtracted from each other on purpose; statement expressions in initialisers are beyond cppcheck;
# and it does not see that statements which look alike need not be equal.
CPPCHECK := cppcheck -q -j2 --std=c11 --error-exitcode=1 -I. -Ix86/inline -D__XEN_TOOLS__ --enable=warning,portability --inline-suppr \
	--suppress=comparePointers --suppress=internalAstError --suppress=identicalConditionAfterEarlyExit
LINT_SRC := $(IMAGE_SRC) $(HOST_SRC) $(wildcard efi/*.c)
TIDY = xargs -P2 -n8 sh -c 'clang-tidy-14 --quiet "$$@" -- $(CORE_CFLAGS) -I$(1)/inline -ffreestanding -DKRYPTON_VERSION=\"lint\" 2>/dev/null' tidy

lint: docs-check
	@echo "  COLLECT"
	@$(PYTEST) -q --collect-only $(TESTS) > $(OUT)/collect.log || { cat $(OUT)/collect.log; false; }
	@echo "  LAYERS"
	@tests/layers.sh
	@echo "  CPPCHECK"
	@$(CPPCHECK) $(LINT_SRC)
	@echo "  TIDY    $(words $(LINT_SRC)) files"
	@echo $(IMAGE_SRC) | $(call TIDY,x86)
	@echo $(HOST_SRC) | $(call TIDY,host)
	@echo $(wildcard efi/*.c) | $(call TIDY,$(EFI_INCLUDES) -Ix86)

# ---- Fuzzing ----

FUZZERS := $(patsubst tests/fuzz/%.c,%,$(wildcard tests/fuzz/fuzz_*.c))
FUZZ_FAST := $(filter-out -O1,$(HOSTED_CFLAGS)) -O2
FUZZ_CFLAGS := $(FUZZ_FAST) -fsanitize=fuzzer-no-link
FUZZ_LIB := $(OUT)/fuzz/libkrypton.a

fuzz: $(FUZZERS:%=$(OUT)/fuzz/%)
	@for f in $^; do \
		name=$$(basename $$f); dict=tests/fuzz/$$name.dict; mkdir -p $(OUT)/fuzz/corpus/$$name; \
		echo "  FUZZ    $$name, $(FUZZ_SECONDS) s"; \
		$(HOSTED_ENV) $$f -entropic=0 -max_len=4096 -max_total_time=$(FUZZ_SECONDS) -timeout=10 -rss_limit_mb=2048 -print_final_stats=1 \
			-artifact_prefix=$(OUT)/fuzz/$$name- $$([ ! -f $$dict ] || echo -dict=$$dict) \
			$(OUT)/fuzz/corpus/$$name $$(ls -d tests/fuzz/corpus/$$name 2>/dev/null) > $(OUT)/fuzz/$$name.log 2>&1 || { tail -n 60 $(OUT)/fuzz/$$name.log; exit 1; }; \
		sed -n 's/^stat::number_of_executed_units: *\(.*\)/          \1 inputs, 0 findings/p' $(OUT)/fuzz/$$name.log; \
		sed -n 's/^hypercalls:/          &/p' $(OUT)/fuzz/$$name.log | tail -n 1; \
	done

# Most of the time goes into sequences of hypercalls. Comparisons there need no tracing, for the grammar has the constants; the
# checks and the pretended machine are no ground to be covered; and the checks look at others' memory, not others at theirs.
$(patsubst %.c,$(OUT)/fuzz/%.o,$(filter core/% abi/%,$(CORE_SRC)) tests/fuzz/fuzz_hypercall.c): FUZZ_CFLAGS += \
	-fno-sanitize-coverage=trace-cmp
$(HOST_SRC:%.c=$(OUT)/fuzz/%.o): FUZZ_CFLAGS := $(FUZZ_FAST)
$(OUT)/fuzz/core/audit.o: FUZZ_CFLAGS := $(filter-out -fsanitize=% -fno-sanitize%,$(FUZZ_FAST))

$(OUT)/fuzz/%.o: %.c Makefile host/host.mk tests/tests.mk
	@mkdir -p $(@D)
	@echo "  CC      $< (fuzz)"
	@$(CLANG) $(FUZZ_CFLAGS) -DKRYPTON_VERSION='"fuzz"' -c -o $@ $<

$(FUZZ_LIB): $(HOSTED_SRC:%.c=$(OUT)/fuzz/%.o)
	@rm -f $@
	@ar rcs $@ $^

$(FUZZERS:%=$(OUT)/fuzz/%): $(OUT)/fuzz/%: $(OUT)/fuzz/tests/fuzz/%.o $(FUZZ_LIB)
	@$(CLANG) $(FUZZ_CFLAGS) -fsanitize=fuzzer -o $@ $< $(FUZZ_LIB)

.SECONDARY: $(FUZZERS:%=$(OUT)/fuzz/tests/fuzz/%.o)
-include $(wildcard $(OUT)/fuzz/*/*.d $(OUT)/fuzz/*/*/*.d)
