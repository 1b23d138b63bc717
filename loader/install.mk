# SPDX-License-Identifier: GPL-2.0-only
# What is installed and where; 'uninstall' removes the same and nothing else.

prefix		?= /usr/local
sbindir		?= $(prefix)/sbin
libdir		?= $(prefix)/lib
includedir	?= $(prefix)/include
datadir		?= $(prefix)/share
mandir		?= $(datadir)/man
docdir		?= $(datadir)/doc/memgate
libexecdir	?= $(prefix)/libexec
pkgconfigdir	?= $(libdir)/pkgconfig
bash_compdir	?= $(datadir)/bash-completion/completions
unitdir		?= $(prefix)/lib/systemd/system
sysusersdir	?= $(prefix)/lib/sysusers.d
tmpfilesdir	?= $(prefix)/lib/tmpfiles.d
# Where memgate@.service looks for policies.
policydir	?= $(prefix)/lib/memgate

# DWARF is for debuggers; what the kernel and the loader read is BTF.
LLVM_STRIP	?= $(shell command -v llvm-strip-19 || command -v llvm-strip)

# The policies proper: the examples are installed as sources.
POLICIES	:= $(patsubst $(TOP)/bpf/%.c,%,$(wildcard $(TOP)/bpf/*.bpf.c))
MADE		:= $(OUT)/install
MADE_POLICIES	:= $(POLICIES:%=$(MADE)/%.o)
DOCS		:= $(TOP)/README.md $(wildcard \
		   $(TOP)/kernel/src/Documentation/userspace-api/memgate*.rst)

# mode:file:folder, one word each
ITEMS	:= 755:$(OUT)/memgate:$(sbindir) \
	   644:$(OUT)/$(SOFILE):$(libdir) \
	   644:$(OUT)/static/libmemgate.a:$(libdir) \
	   644:$(MADE)/libmemgate.pc:$(pkgconfigdir) \
	   644:$(TOP)/include/uapi/linux/memgate.h:$(includedir)/linux \
	   $(patsubst %,644:%:$(includedir)/memgate,\
		$(wildcard $(TOP)/include/memgate/*.h)) \
	   $(patsubst %,644:%:$(policydir),$(MADE_POLICIES)) \
	   $(foreach m,$(MANS),\
		644:$(m):$(mandir)/man$(patsubst .%,%,$(suffix $(m)))) \
	   644:$(CURDIR)/completion/memgate:$(bash_compdir) \
	   644:$(MADE)/memgate@.service:$(unitdir) \
	   644:$(MADE)/sysusers/memgate.conf:$(sysusersdir) \
	   644:$(MADE)/tmpfiles/memgate.conf:$(tmpfilesdir) \
	   $(patsubst %,644:%:$(docdir),$(DOCS)) \
	   755:$(CURDIR)/examples/memgate-emulator:$(libexecdir) \
	   $(patsubst %,755:%:$(docdir)/examples,\
		$(wildcard $(CURDIR)/examples/*.sh)) \
	   $(patsubst %,644:%:$(docdir)/examples,\
		$(wildcard $(CURDIR)/examples/*.c) \
		$(wildcard $(TOP)/bpf/examples/*.bpf.c))
# name:target
LINKS	:= $(libdir)/$(SONAME):$(SOFILE) $(libdir)/libmemgate.so:$(SONAME)
# Nobody else puts anything there: they go when they are empty.
OWN	:= $(docdir)/examples $(docdir) $(policydir) $(includedir)/memgate

# Always made anew: the folders may be others than the last time.
FILLED	:= $(MADE)/libmemgate.pc $(MADE)/memgate@.service \
	   $(MADE)/sysusers/memgate.conf $(MADE)/tmpfiles/memgate.conf
FILL	= mkdir -p $(@D) && sed -e 's|@PREFIX@|$(prefix)|' \
	  -e 's|@LIBDIR@|$(libdir)|' -e 's|@INCLUDEDIR@|$(includedir)|' \
	  -e 's|@SBINDIR@|$(sbindir)|' -e 's|@POLICYDIR@|$(policydir)|' \
	  -e 's|@VERSION@|$(VERSION)|' $< >$@

.PHONY: install uninstall force

$(MADE)/libmemgate.pc: libmemgate.pc.in force
	$(Q)$(FILL)
$(MADE)/memgate@.service: systemd/memgate@.service.in force
	$(Q)$(FILL)
$(MADE)/sysusers/memgate.conf: systemd/sysusers.conf force
	$(Q)$(FILL)
$(MADE)/tmpfiles/memgate.conf: systemd/tmpfiles.conf force
	$(Q)$(FILL)

$(MADE)/%.bpf.o: $(O)/bpf/%.bpf.o
	$(Q)mkdir -p $(@D)
	$(Q)$(LLVM_STRIP) -g -o $@ $<

$(O)/bpf/%.bpf.o:
	@echo "$@ is missing: run 'make bpf' in the top directory" >&2
	@false

install: all $(FILLED) $(MADE_POLICIES)
	$(Q)for i in $(ITEMS); do \
		IFS=: read -r mode file dir <<<"$$i"; \
		$(INSTALL) -D -m $$mode "$$file" \
			"$(DESTDIR)$$dir/$${file##*/}" || exit 1; \
	done
	$(Q)for i in $(LINKS); do \
		ln -sfn "$${i#*:}" "$(DESTDIR)$${i%%:*}" || exit 1; \
	done

uninstall:
	$(Q)for i in $(ITEMS); do \
		IFS=: read -r mode file dir <<<"$$i"; \
		rm -f "$(DESTDIR)$$dir/$${file##*/}" || exit 1; \
	done
	$(Q)for i in $(LINKS); do rm -f "$(DESTDIR)$${i%%:*}"; done
	$(Q)for d in $(OWN); do \
		[ ! -d "$(DESTDIR)$$d" ] || \
			rmdir --ignore-fail-on-non-empty "$(DESTDIR)$$d"; \
	done
