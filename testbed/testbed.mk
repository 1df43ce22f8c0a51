# Images, running them, and the tests of whole machines.
#   make run           everything, then a machine with one guest on this terminal
#   make check         everything, then every test
#   make check-quick   unit tests and one boot
#   make iso           build/krypton.iso, a GRUB CD (multiboot 2)
# HV=FILE runs another hypervisor in the place of build/krypton; TESTS=... narrows the system tests.

HV     ?= $(OUT)/krypton
TESTS  ?= tests/system
PYTEST := /usr/bin/python3 -B -m pytest -p no:cacheprovider -v --tb=short -ra

.PHONY: setup images run iso check check-quick system

setup:
	@testbed/setup.sh

images: setup
	@testbed/build-dom0
	@testbed/build-debian

run: setup
	@$(MAKE) --no-print-directory all images
	@testbed/run $(HV)

iso: setup
	@$(MAKE) --no-print-directory all images
	@testbed/build-iso $(OUT)/krypton $(OUT)/krypton.iso
	@echo "  ISO     $(OUT)/krypton.iso"
