# SPDX-License-Identifier: GPL-2.0-only
#
# memgate: the front door.  'make help' says what there is.

MAKEFLAGS += --no-print-directory
SHELL := /bin/bash

TOP := $(patsubst %/,%,$(dir $(abspath $(lastword $(MAKEFILE_LIST)))))
override O := $(abspath $(or $(O),$(TOP)/build))
J ?= $(shell nproc)
V ?= 0
DEBUG ?=
prefix ?= /usr/local

ifneq ($(words $(TOP) $(O)),2)
$(error no blanks, please, in the path of the checkout or of the build folder)
endif

# A kernel tree of the user's own; the scripts copy it and never change it.
override KSRC := $(if $(KSRC),$(abspath $(KSRC)))
# Which series of kernel/patches.
BASE ?= 6.12
export KSRC O J V DEBUG BASE

SCRIPTS := $(TOP)/kernel/scripts
VM := $(TOP)/selftests/vm
BZIMAGE := $(O)/kernel$(if $(DEBUG),-debug)/arch/x86/boot/bzImage

# The parts look for headers and tests in the prepared tree, which is not KSRC.
jobs = $(if $(filter -j%,$(MAKEFLAGS)),,-j $(J))
part = +$(MAKE) -C $(TOP)/$(1) $(jobs) O=$(O) KSRC=$(O)/linux V=$(V)
run = $(VM)/run -k $(BZIMAGE)

all: kernel bpf loader selftests

help:
	@printf '%s\n' \
	'The two commands:' \
	'  make demo             build all, then show memgate at work in a VM' \
	'  make check            build all, then run every test' \
	'' \
	'For an hour, and before a release:' \
	'  make check-debug      the tests on a kernel with KASAN, lockdep, kmemleak' \
	'' \
	'Building:' \
	'  make                  everything, nothing run (needs: make deps)' \
	'  make deps             install what Debian packages are missing (root)' \
	'  make kernel           the patched kernel (prepare, configure, build)' \
	'  make kernel-prepare   build/linux: source, new files, patch series' \
	'  make kernel-config    build/kernel/.config, checked' \
	'  make host             libbpf and bpftool of that kernel' \
	'  make bpf              the policies' \
	'  make loader           libmemgate and the memgate command' \
	'  make selftests        the test programs' \
	'  make install          policies, library and command [prefix= DESTDIR=' \
	'                        libdir= mandir= unitdir=: see loader/install.mk]' \
	'  make uninstall' \
	'  make deb              Debian packages of all that, and of the kernel, in' \
	'                        build/deb [CONFIG=/boot/config-...: a kernel with' \
	'                        that configuration, not the one of the test VM]' \
	'' \
	'Trying:' \
	'  make vm T=seal_test   one test alone, in a VM [ARGS="..."]' \
	'  make shell            a shell in the test kernel' \
	'  make style            checkpatch, sparse, shellcheck, codespell' \
	'  make bench            what a gate costs: builds two more kernels,' \
	'                        writes Documentation/mm/memgate-bench.rst' \
	'  make paths            the page of selftests/paths.tbl' \
	'' \
	'Working on the kernel (see kernel/README.md):' \
	'  make kernel-refresh   commits in build/linux back to kernel/' \
	'  make kernel-export    a series to mail, in build/export' \
	'  make kernel-each      build after each patch of the series' \
	'' \
	'  make clean            remove what was compiled, keep the kernel' \
	'  make distclean        remove the build folder' \
	'' \
	'Variables: KSRC=DIR another kernel tree (copied, never changed), J=N jobs' \
	'($(J)), O=DIR build folder ($(O)),' \
	'V=1 show commands, DEBUG=1 a kernel with KASAN, lockdep and more.'

deps:
	@$(SCRIPTS)/deps.sh

kernel-prepare:
	@$(SCRIPTS)/prepare.sh

kernel-config:
	@$(SCRIPTS)/config.sh

kernel:
	@$(SCRIPTS)/build.sh

kernel-refresh:
	@$(SCRIPTS)/refresh.sh

kernel-export:
	@$(SCRIPTS)/export.sh

kernel-each:
	@$(SCRIPTS)/each.sh

host: kernel-prepare
	@$(SCRIPTS)/host.sh

bpf: host
	$(call part,bpf)

loader: host
	$(call part,loader)

selftests: host bpf loader
	$(call part,selftests)
	$(call part,selftests/demo)

# Built against a kernel that has been built.
modules:
	$(call part,selftests/modules) DEBUG=$(DEBUG)

style:
	@$(SCRIPTS)/style.sh

# The manual's page of every way to the memory, of selftests/paths.tbl.
PATHS := $(TOP)/kernel/src/Documentation/userspace-api/memgate-paths.rst

paths:
	@$(TOP)/selftests/paths.sh rst >$(PATHS).new && mv $(PATHS).new $(PATHS)

# bpftool is built again once there is a kernel to take types from: the kernel
# goes first where both are wanted.
everything:
	@$(MAKE) deps
	@$(MAKE) kernel
	@$(MAKE) bpf loader selftests modules

check: everything
	@$(VM)/check -k $(BZIMAGE)

# The same on the debug kernel: longer races, no splat, no leak.
check-debug:
	@$(MAKE) check DEBUG=1

demo: everything
	@$(run) -t 600 -- $(TOP)/selftests/demo/demo.sh $(BZIMAGE)

shell: everything
	@$(run) -i

bench: everything
	@$(TOP)/selftests/bench/kernels.sh
	@$(TOP)/selftests/bench/run.sh

# One test, and nothing but what it needs.
vm: selftests
	@test -n "$(T)" || { \
		echo "make vm T=NAME, one of: $$($(VM)/check -l | xargs)" >&2; \
		exit 1; }
	@test -e $(BZIMAGE) || $(MAKE) kernel
	@$(MAKE) modules
	@$(run) -- $(firstword $(wildcard $(O)/selftests/$(T) \
		$(TOP)/selftests/$(T) $(TOP)/selftests/$(T).sh) $(T)) $(ARGS)

# Where: see loader/install.mk.  What is given on the command line goes there.
install: bpf loader
	$(call part,loader) install prefix=$(prefix) DESTDIR=$(DESTDIR)

uninstall:
	$(call part,loader) uninstall prefix=$(prefix) DESTDIR=$(DESTDIR)

# The kernel of build/kernel as it is, or one with another configuration.
deb: export BASE_CONFIG := $(if $(CONFIG),$(abspath $(CONFIG)))
deb:
	@$(SCRIPTS)/deps.sh
	@$(SCRIPTS)/deb.sh
	@$(SCRIPTS)/host.sh
	@$(TOP)/loader/packaging/build.sh

clean:
	rm -rf $(O)/bpf $(O)/loader $(O)/selftests $(O)/vm $(O)/logs $(O)/export \
		$(O)/deb

distclean:
	rm -rf $(O)

# The stages follow each other; each of them uses J jobs by itself.
.NOTPARALLEL:
.PHONY: all help deps kernel-prepare kernel-config kernel kernel-refresh \
	kernel-export kernel-each host bpf loader selftests modules style paths everything \
	check check-debug demo shell bench vm install uninstall deb clean \
	distclean
