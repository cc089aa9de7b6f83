# SPDX-License-Identifier: Apache-2.0
# The only entry point. `make` builds Torpor, `make install` installs it; neither installs a package. `make demo` shows a cycle,
# `make test` runs the tests, `make deb` (or rpm, or arch) makes packages, and all of these install the Debian packages that
# they need.
SWIFT ?= swift
SWIFT_FORMAT = $(SWIFT) format
# A file imports only modules that Package.swift declares for its target.
CHECK_IMPORTS = --explicit-target-dependency-import-check error
SWIFT_BUILD = $(SWIFT) build $(CHECK_IMPORTS)
# stdbuf: each test is printed as soon as it ends, into a pipe as well. SWIFT_BACKTRACE: some children of the tests trap on
# purpose, and no debugger should start for them.
SWIFT_TEST = SWIFT_BACKTRACE=enable=no stdbuf -oL $(SWIFT) test --disable-xctest $(CHECK_IMPORTS)
EMBEDDED = $(shell $(SWIFT)c -print-target-info | sed -n 's/.*"runtimeResourcePath": "\(.*\)".*/\1/p')/embedded/x86_64-unknown-linux-gnu
SWIFT_FILES = Package.swift $(shell find Sources Tests Benchmarks -name '*.swift')
MKINITRAMFS = mkinitramfs.sh mkinitramfs-drivers.sh mkinitramfs-modules.sh
SHELL_FILES = .ci/run $(MKINITRAMFS) $(shell find scripts kernel Tests -name '*.sh') \
	$(shell grep -rlE '^(\#!/.*sh|\# shellcheck shell=.*)$$' dist)

# Where `make install` puts Torpor. torpor looks for rootfs.gz in /usr/lib/torpor.
DESTDIR ?=
PREFIX ?= /usr
SBINDIR ?= $(PREFIX)/sbin
PKGLIBDIR ?= $(PREFIX)/lib/torpor
MANDIR ?= $(PREFIX)/share/man
DOCDIR ?= $(PREFIX)/share/doc/torpor
BASHCOMPDIR ?= $(PREFIX)/share/bash-completion/completions
# Debian's zsh reads share/zsh/vendor-completions.
ZSHCOMPDIR ?= $(PREFIX)/share/zsh/site-functions
FISHCOMPDIR ?= $(PREFIX)/share/fish/vendor_completions.d
INSTALL ?= install
# Hooks of other programs to install, of: initramfs-tools dracut mkinitcpio kernel-install kernel.
HOOKS ?=
# The absolute path of a directory of static libraries. The linker searches it before the system's directories.
STATIC_LIBDIR ?=
LINK_FLAGS = $(if $(STATIC_LIBDIR),-Xlinker '-L$(STATIC_LIBDIR)')

BUILD_PACKAGES = libblkid-dev liblzma-dev libzstd-dev liblz4-dev libxxhash-dev binutils gcc libc6-dev cpio
VM_PACKAGES = qemu-system-x86 ovmf busybox-static e2fsprogs dmsetup fdisk btrfs-progs xfsprogs f2fs-tools exfatprogs dosfstools \
	mtools grub-common grub-pc-bin grub-efi-amd64-bin systemd-boot-efi
CHECK_PACKAGES = shellcheck zsh fish
# debhelper makes the packages of Debian, rpmbuild those of Fedora and makepkg those of Arch.
DEB_PACKAGES = build-essential debhelper dpkg-dev fakeroot git lintian
RPM_PACKAGES = git rpm rpmlint
ARCH_PACKAGES = git libarchive-tools makepkg pacman-package-manager zstd
# The second reader of the format needs them, and the tests of mkinitramfs.sh.
UNIT_PACKAGES = python3 python3-lz4 python3-zstandard python3-xxhash kmod xz-utils zstd

# One recipe at a time, even with -j: each uses all CPUs by itself, and two of them would build in one folder, or run
# apt-get twice.
.NOTPARALLEL:

.PHONY: all rootfs kernel test-kernel install uninstall demo recording bench fuzz torture stock test unit vm machines check format clean FORCE
.PHONY: build-tools build-packages debian deb rpm arch check-deb check-rpm check-arch
PRODUCTS = build/init build/torpor build/rootfs.gz $(COMPLETIONS)
COMPLETIONS = build/completion/torpor.bash build/completion/torpor.zsh build/completion/torpor.fish
all: $(PRODUCTS)

rootfs: build/rootfs.gz
kernel: build/vmlinuz-torpor
test-kernel: build/bzImage

# Names missing programs, headers and libraries.
build-tools:
	@SWIFT='$(SWIFT)' STATIC_LIBDIR='$(STATIC_LIBDIR)' scripts/check-build-tools.sh

# Installs their packages on Debian.
build-packages:
	@scripts/install-packages.sh $(BUILD_PACKAGES)

# Emulators chain jumps within a page, and look up every other jump. A loop of liblz4 across two pages made a save in an
# emulated machine half as long again. So the code of liblz4 begins at a page boundary, also in torpor, which estimates the time.
ALIGNED = .build-init/aligned
LINK_ALIGNED = -Xlinker '-L$(CURDIR)/$(ALIGNED)'
$(ALIGNED)/liblz4.a: FORCE | build-tools
	@mkdir -p $(@D)
	@objcopy --set-section-alignment .text=4096 \
		"$$(gcc $(if $(STATIC_LIBDIR),'-B$(STATIC_LIBDIR)/') -print-file-name=liblz4.a)" $@

# /init, and a program for the guests of the tests: the modules as Embedded Swift, static. build/ gets stripped copies, which
# are replaced only if they differ.
build/init build/pattern: build/%: $(ALIGNED)/liblz4.a FORCE | build-tools
	TORPOR_EMBEDDED_LIBRARIES='$(EMBEDDED)' $(SWIFT_BUILD) -c release --product $* --scratch-path .build-init \
		$(LINK_ALIGNED) $(LINK_FLAGS)
	@scripts/install-program.sh --without-unwind-tables .build-init/release/$* $@

# torpor: the same modules as ordinary Swift, also static, so that it runs on any system.
build/torpor: $(ALIGNED)/liblz4.a FORCE | build-tools
	$(SWIFT_BUILD) -c release --product torpor --scratch-path .build-torpor -Xswiftc -static-executable \
		$(LINK_ALIGNED) $(LINK_FLAGS)
	@scripts/install-program.sh .build-torpor/release/torpor $@

# What shells complete: ArgumentParser makes the scripts from the commands.
$(COMPLETIONS): build/completion/torpor.%: build/torpor
	@mkdir -p $(@D)
	@# bash reads its script with `.`, so that needs no interpreter in its first line.
	@build/torpor --generate-completion-script $* >$@.new && sed -i '1{/^#!/d}' $@.new && mv $@.new $@

build/rootfs.gz: build/init $(MKINITRAMFS) $(shell find initramfs)
	./mkinitramfs.sh --init build/init --output $@

# The small kernel for kernels B and C.
build/vmlinuz-torpor: FORCE
	@env -u MAKEFLAGS -u MFLAGS kernel/build.sh kernel/torpor.config $@

# Builds only missing products, so that `make` can run as a user and `make install` as root. Installs the small kernel if it
# was built.
PLACES = DESTDIR='$(DESTDIR)' SBINDIR='$(SBINDIR)' PKGLIBDIR='$(PKGLIBDIR)' MANDIR='$(MANDIR)' DOCDIR='$(DOCDIR)' \
	BASHCOMPDIR='$(BASHCOMPDIR)' ZSHCOMPDIR='$(ZSHCOMPDIR)' FISHCOMPDIR='$(FISHCOMPDIR)'
install: $(filter-out $(wildcard $(PRODUCTS)),$(PRODUCTS))
	@$(PLACES) INSTALL='$(INSTALL)' HOOKS='$(HOOKS)' scripts/install.sh install

uninstall:
	@$(PLACES) scripts/install.sh uninstall

# Packages, from the products of `make all kernel`.
deb: build-packages all kernel
	@scripts/install-packages.sh $(DEB_PACKAGES)
	scripts/build-deb.sh

rpm: build-packages all kernel
	@scripts/install-packages.sh $(RPM_PACKAGES)
	scripts/build-rpm.sh

arch: build-packages all kernel
	@scripts/install-packages.sh $(ARCH_PACKAGES)
	scripts/build-arch.sh

# Makes the top directory one for dpkg-buildpackage, which builds everything itself.
debian: FORCE
	@scripts/debian-changelog.sh >dist/debian/changelog
	@ln -sfn dist/debian debian

# Each step of a package's life in a tree of this Debian; for Debian, also lintian and a second build. As root, minutes.
check-deb: deb
	scripts/check-deb.sh

check-rpm check-arch: check-%: %
	scripts/check-other-packages.sh $*

build/bzImage: FORCE
	@env -u MAKEFLAGS -u MFLAGS Tests/VM/kernel/build.sh $@ build/test-modules

# For machines whose disks are on NVMe or AHCI, which are modules of the test kernel.
build/test/rootfs-modules.gz: FORCE build/bzImage build/init
	@Tests/VM/kernel/rootfs.sh build/bzImage build/test-modules build/init build/test

build/vmlinuz-stock: Tests/VM/kernel/stock.sh
	@Tests/VM/kernel/stock.sh $@

# Debian's own configuration with CONFIG_KEXEC_JUMP, and its modules in build/stock/modules.
build/stock/vmlinuz: FORCE
	@env -u MAKEFLAGS -u MFLAGS Tests/VM/kernel/stock-jump.sh $@ build/stock/modules

build/stock/root.ext4: build/stock/vmlinuz all kernel FORCE
	@Tests/VM/stock/make-guest.sh build/stock/vmlinuz build/stock/modules PARTUUID=00000000-0000-4000-9000-000100000002 build/stock

# A guest that gets Torpor as packages: those of `make deb`, and newer ones for an upgrade.
build/stock/package/root.ext4: build/stock/vmlinuz deb FORCE
	@rm -rf build/stock/packages
	@mkdir -p build/stock/packages/newer
	@DEB_VERSION="$$(cat VERSION)+1" DEB_OUTPUT=build/deb-newer scripts/build-deb.sh >/dev/null
	@cp build/deb/*.deb build/stock/packages/
	@cp build/deb-newer/*.deb build/stock/packages/newer/
	@Tests/VM/stock/new-kernel.sh build/stock/packages/kernel
	@Tests/VM/stock/make-guest.sh --packages build/stock/vmlinuz build/stock/modules build/stock/packages build/stock/package

demo: build-packages all test-kernel
	@scripts/install-packages.sh $(VM_PACKAGES)
	$(SWIFT_BUILD) --product torpor-demo
	.build/debug/torpor-demo

# Records the demo for README.
recording: build-packages all test-kernel
	@scripts/install-packages.sh $(VM_PACKAGES) termtosvg
	$(SWIFT_BUILD) --product torpor-demo
	termtosvg docs/demo.svg --screen-geometry 110x32 --max-frame-duration 2000 --loop-delay 5000 --template window_frame \
		--command .build/debug/torpor-demo
	@sed -i '1i <!-- SPDX-License-Identifier: Apache-2.0 -->' docs/demo.svg

# Writes tables, numbers and charts to build/bench. Takes an hour and a half, or less than half an hour with
# TORPOR_BENCH_QUICK=1.
bench: build-packages all test-kernel
	@scripts/install-packages.sh $(VM_PACKAGES)
	@scripts/install-packages.sh zstd lz4 makedumpfile
	$(SWIFT_BUILD) -c release --product torpor-bench --scratch-path .build-torpor
	.build-torpor/release/torpor-bench

# Fuzzes every parser of untrusted input with libFuzzer and the sanitizers, FUZZ_SECONDS each (60).
fuzz: build-packages
	TORPOR_FUZZ=1 $(SWIFT_BUILD) -c release --product torpor-fuzz --scratch-path .build-fuzz
	scripts/fuzz.sh .build-fuzz/release/torpor-fuzz

# The long form of the tests of which `make machines` runs a sample, and the fuzzer.
torture: build-packages all test-kernel build/test/rootfs-modules.gz
	@scripts/install-packages.sh $(VM_PACKAGES)
	TORPOR_TORTURE=1 $(SWIFT_TEST) --filter 'MutatedImageTests|SimulationTests|StepFaultTests|PowerCutTests|KilledMachineTests'
	$(MAKE) fuzz

# A Debian guest with systemd and PostgreSQL under load, on a kernel with Debian's own configuration and on the small kernel.
# Takes an hour, and the kernels another hour, once.
stock: build-packages all kernel build/stock/root.ext4 build/stock/package/root.ext4
	@scripts/install-packages.sh $(VM_PACKAGES)
	TORPOR_STOCK=1 $(SWIFT_TEST) --filter 'StockTests|PackageTests'

test: unit vm

unit: build-packages
	@scripts/install-packages.sh $(UNIT_PACKAGES)
	$(SWIFT_TEST) --skip VMTests

# A sample of the machine tests, one of each kind; `make machines` runs all of them, in more than half an hour.
vm machines: build-packages all test-kernel build/test/rootfs-modules.gz build/pattern build/vmlinuz-stock
	@scripts/install-packages.sh $(VM_PACKAGES)
	$(if $(filter machines,$@),TORPOR_MACHINES=1) $(SWIFT_TEST) --filter VMTests

check: build-packages all
	@scripts/install-packages.sh $(CHECK_PACKAGES)
	@echo $(SWIFT_FORMAT) lint
	@$(SWIFT_FORMAT) lint --strict --parallel $(SWIFT_FILES)
	shellcheck $(SHELL_FILES)
	scripts/check-rootfs.sh
	scripts/check-kernel.sh
	scripts/check-licenses.sh
	scripts/check-version.sh
	scripts/check-makefile.sh
	scripts/check-boot-hooks.sh
	scripts/check-kernel-hooks.sh
	scripts/check-systemd.sh
	scripts/check-completions.sh

format:
	@$(SWIFT_FORMAT) --in-place --parallel $(SWIFT_FILES)

clean:
	rm -rf build .build .build-init .build-torpor .build-fuzz
	rm -f debian dist/debian/changelog
