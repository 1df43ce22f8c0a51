# Images, running them, and the tests of whole machines.
#   make setup         what the build and the tests need of Debian's packages
#   make run           everything, then a machine with one guest on this terminal
#   make check         everything, then every test, then a page of figures
#   make check-quick   unit tests and one boot
#   make bench         what operations cost, of the hypervisor and of a stock kernel in it, beside Debian's Xen and the bare machine
#                      (make bench-check: Krypton's alone, against tests/bench/baseline.csv; bench-wall PAIRS=5: real time)
#   make iso           build/krypton.iso, a GRUB CD (multiboot 2)
# HV=FILE runs another hypervisor in the place of build/krypton; TESTS=... narrows the system tests.

HV     ?= $(OUT)/krypton
TESTS  ?= tests/guest tests/system
QUICK  := tests/system/test_xl.py::test_console_both_ways
PYTEST := KRYPTON_HV=$(HV) /usr/bin/python3 -B -m pytest -p no:cacheprovider -v --tb=short -rf

JOBS   := -j$(shell nproc)

# Where Debian has depmod and mke2fs; a user who is not root has no sbin in the path.
export PATH := $(PATH):/usr/sbin:/sbin

.PHONY: setup images micro macro run iso check check-quick system two-hosts libvirt ganeti release bench bench-check bench-baseline bench-wall hostile hostile-cases bochs cycles stream-faults frontends soak power-cut

setup:
	@testbed/setup.sh

images: setup
	@testbed/build-dom0
	@testbed/build-debian
	@testbed/build-oracle

micro:
	@$(MAKE) --no-print-directory -C guests/micro

macro:
	@$(MAKE) --no-print-directory -C guests/macro

# As users have it: without the checks of order and assertions that tests want.
release:
	@$(MAKE) --no-print-directory DEBUG=0 OUT=$(OUT)/release all

bench: setup release micro macro images
	@/usr/bin/python3 -B tests/guest/bench.py

PAIRS ?= 5
bench-wall: setup release micro macro images
	@/usr/bin/python3 -B tests/guest/bench.py --wall $(PAIRS)

bench-check: release micro
	@/usr/bin/python3 -B tests/guest/bench.py --check

bench-baseline: release micro
	@/usr/bin/python3 -B tests/guest/bench.py --baseline

run: setup
	@$(MAKE) --no-print-directory $(JOBS) all
	@$(MAKE) --no-print-directory images
	@testbed/run $(HV)

# Its rungs one by one, and then what came of them on a page of figures; the rungs and their bounds are in tests/figures.
check:
	@testbed/setup.sh $(FRAMA_C)
	@tests/figures $(OUT)/check --check

check-quick: setup
	@$(MAKE) --no-print-directory $(JOBS) all unit
	@testbed/build-dom0
	@$(PYTEST) $(QUICK)

# The tests of whole machines alone, on what is built; two machines at a time, each with the tests of one file.
# Those that take two machines each, or long, have targets of their own.
system:
	@$(PYTEST) -n 2 --dist loadfile $(TESTS) $(addprefix --ignore=,$(TWO_HOSTS) $(FAULTY) $(FRONTENDS) $(LIBVIRT) $(GANETI) $(PACKAGE) $(SOAK))

TWO_HOSTS := tests/system/test_two_hosts.py tests/system/test_cross_restore.py
FAULTY    := tests/system/test_stream_faults.py
FRONTENDS := tests/system/test_frontends.py
LIBVIRT   := tests/system/test_libvirt.py
GANETI    := tests/system/test_ganeti.py
PACKAGE   := tests/system/test_package.py
SOAK      := tests/system/test_soak.py
two-hosts:
	@$(MAKE) --no-print-directory all images
	@$(PYTEST) $(TWO_HOSTS)

# On dom0s with libvirt's packages: eight minutes.
libvirt: setup
	@$(MAKE) --no-print-directory all images
	@testbed/build-layer libvirt
	@$(PYTEST) $(LIBVIRT)

# A cluster of two machines with Ganeti's packages.
ganeti: setup
	@$(MAKE) --no-print-directory all images
	@testbed/build-layer ganeti
	@$(PYTEST) $(GANETI)

# Random operations of hostile guests for so long; the seed of a run is printed, and can be given again.
SECONDS ?= 60
CPUS    ?= 2
hostile:
	@$(MAKE) --no-print-directory all micro
	@KRYPTON_HV=$(HV) /usr/bin/python3 -B tests/guest/test_hostile.py $(SECONDS) $(or $(SEED),$$(date +%s)) $(CPUS)

# All hostile cases on 1, 2 and 4 CPUs: half an hour.
HOSTILE_CPUS ?= 1 2 4
hostile-cases:
	@$(MAKE) --no-print-directory all micro images
	@HOSTILE_CPUS="$(HOSTILE_CPUS)" $(PYTEST) -s tests/guest/test_hostile.py

# Entry paths on a processor that faults where QEMU's does not.
bochs:
	@$(MAKE) --no-print-directory all micro
	@KRYPTON_HV=$(HV) /usr/bin/python3 -B tests/guest/bochs.py

# `make check` has the first few steps of seed 1. The seed of a run is printed, and can be given again.
CYCLES ?= 300
cycles:
	@$(MAKE) --no-print-directory all images
	@CYCLES=$(CYCLES) SEED=$(or $(SEED),$$(date +%s)) $(PYTEST) -s tests/system/test_cycles.py

# The steps of `cycles` beside hostile neighbours, with daemons and tools killed, for so long; ends with a page that says what
# was done, what leaked, and what took longest (build/logs/soak.figures). SEED=N repeats a run. It wants an idle machine: the
# tools of dom0 give a device's script forty seconds.
MINUTES ?= 10
soak:
	@$(MAKE) --no-print-directory all micro images
	@MINUTES=$(MINUTES) SEED=$(or $(SEED),$$(date +%s)) $(PYTEST) -s $(SOAK)

# How often the power fails while a guest writes to its disk; `make check` has it once. SEED=N: after how long each time.
CUTS ?= 10
power-cut:
	@$(MAKE) --no-print-directory all images
	@CUTS=$(CUTS) SEED=$(or $(SEED),$$(date +%s)) $(PYTEST) -s tests/system/test_power_cut.py

# How many bytes of a saved image are changed, one in each restore; SEED=N repeats a run.
stream-faults:
	@$(MAKE) --no-print-directory all micro images
	@$(PYTEST) -s $(FAULTY)

# Guests that lie to their backends: five minutes.
frontends:
	@$(MAKE) --no-print-directory all micro
	@$(PYTEST) $(FRONTENDS)

iso: setup
	@$(MAKE) --no-print-directory all images
	@testbed/build-iso $(OUT)/krypton $(OUT)/krypton.iso
	@echo "  ISO     $(OUT)/krypton.iso"
