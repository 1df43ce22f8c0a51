# The manual page, and the Debian package.
#   make deb             build/deb/krypton-hypervisor_VERSION_amd64.deb
#   make package-check   it is reproducible, and an installed Debian takes it, runs on it and is rid of it again, on BIOS and on EFI

.PHONY: deb package-check

$(OUT)/krypton.8: packaging/krypton.8.in packaging/man.c boot/parse/options.def
	@mkdir -p $(@D)
	@$(CC) -I. -o $(OUT)/man packaging/man.c
	@$(OUT)/man > $@.options
	@sed -e '/^@OPTIONS@$$/{r $@.options' -e 'd}' -e 's/@VERSION@/$(VERSION)/' $< > $@

deb:
	@testbed/setup.sh --build build-essential debhelper lintian
	@packaging/build-deb $(OUT)/deb

package-check: setup
	@$(MAKE) --no-print-directory all images deb
	@testbed/setup.sh fdisk dosfstools
	@testbed/build-installed
	@$(PYTEST) $(PACKAGE)
