# SPDX-License-Identifier: GPL-2.0-only
# Fuzz targets: libFuzzer of clang, both sanitizers, libbpf included where its
# source is (KSRC).
#
#   make -C loader fuzz [SECONDS=60]	each target for so long
#
# Seeds are made of our own objects.  What crashes a target is kept in
# O/loader/fuzz/crash.

FUZZ	:= $(OUT)/fuzz
SECONDS	?= 60
KSRC	?= $(O)/linux
FUZZ_SAN := -fsanitize=address,undefined -fno-sanitize-recover=all \
	   -fno-omit-frame-pointer -g -O1
FUZZ_CC	= $(CLANG) $(FUZZ_SAN) -fsanitize=fuzzer-no-link
TARGETS	:= params inspect fdinfo

FUZZ_LIB := $(LIB_SRC:%.c=$(FUZZ)/%.o)
BPF_SRC	:= $(wildcard $(KSRC)/tools/lib/bpf/*.c)
FUZZ_BPF := $(patsubst $(KSRC)/tools/lib/bpf/%.c,$(FUZZ)/libbpf/%.o,$(BPF_SRC))

$(FUZZ)/%.o: %.c $(LIBBPF) Makefile tests/fuzz/fuzz.mk
	$(call msg,FUZZ,$@)
	@mkdir -p $(@D)
	$(Q)$(FUZZ_CC) $(OURS) -MMD -MP -c -o $@ $<

$(FUZZ)/lib/iterate.o: $(OUT)/lib/gates.bpf.o

# Not ours: what the sanitizers say of its arithmetic is not asked.
$(FUZZ)/libbpf/%.o: $(KSRC)/tools/lib/bpf/%.c $(LIBBPF) tests/fuzz/fuzz.mk
	@mkdir -p $(@D)
	$(Q)$(CLANG) -fsanitize=address -fsanitize=fuzzer-no-link -g -O1 -w \
		-std=gnu89 -D_GNU_SOURCE -D_LARGEFILE64_SOURCE \
		-D_FILE_OFFSET_BITS=64 -I$(HOST)/include/bpf \
		-I$(HOST)/obj/libbpf -I$(KSRC)/tools/lib/bpf \
		-I$(KSRC)/tools/include -I$(KSRC)/tools/include/uapi \
		-I$(KSRC)/tools/arch/x86/include -c -o $@ $<

$(TARGETS:%=$(FUZZ)/%): $(FUZZ)/%: tests/fuzz/%.c tests/fuzz/fuzz.h \
		$(FUZZ_LIB) $(FUZZ_BPF)
	$(call msg,FUZZ,$@)
	$(Q)$(FUZZ_CC) -fsanitize=fuzzer $(OURS) $(LDFLAGS) -o $@ $< \
		$(FUZZ_LIB) $(or $(FUZZ_BPF),$(LIBBPF)) -lelf -lz

# Has clang the runtime?  Without it the targets are skipped.
HAVE_FUZZ = $(shell echo 'int LLVMFuzzerTestOneInput(const char *d, long s) \
	{ return 0; }' | $(CLANG) -fsanitize=fuzzer,address,undefined -x c - \
	-o /dev/null 2>/dev/null && echo y)

.PHONY: fuzz fuzz-targets
fuzz-targets: $(if $(HAVE_FUZZ),$(TARGETS:%=$(FUZZ)/%))

fuzz: fuzz-targets $(T_BPF)
	$(Q)tests/fuzz/run.sh $(FUZZ) $(SECONDS) $(TPROGS) $(TARGETS)

-include $(FUZZ_LIB:.o=.d)
