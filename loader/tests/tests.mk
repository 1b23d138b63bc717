# SPDX-License-Identifier: GPL-2.0-only
# Unit tests: no kernel with memgate, no privilege.  Built with the address
# and undefined-behaviour sanitizers where the compiler has them.

T	:= $(OUT)/tests
TPROGS	:= $(T)/progs

SAN	:= $(shell echo 'int main(void){return 0;}' | $(CC) -x c - \
	   -fsanitize=address,undefined -o /dev/null 2>/dev/null && \
	   echo -fsanitize=address,undefined -fno-sanitize-recover=all)
T_SRC	:= $(wildcard tests/*_test.c) $(LIB_SRC) \
	   $(filter-out cli/main.c,$(CLI_SRC))
T_OBJ	:= $(T_SRC:%.c=$(T)/%.o)

# Policies that are wrong in one way each are the kernel tests' own.
POLICIES := $(TOP)/selftests/policy_progs
T_BPF	:= $(TPROGS)/params.bpf.o $(TPROGS)/values.bpf.o $(TPROGS)/later.bpf.o \
	   $(patsubst %,$(TPROGS)/%.bpf.o,\
	   bad_no_policy bad_two_policies bad_name_empty bad_decides_nothing \
	   bad_no_may_map bad_no_may_attach bad_params_size params_short \
	   params_types bad_sleepable bad_class bad_params_beyond bad_license \
	   bad_name_long bad_name_space bad_kfunc_tcp exclusive_kvm)

# For selftests/cli_test.sh, which runs in the VM.
vm-tests: $(T)/cli_helper $(T)/user_helper $(T_BPF) $(T)/vmm $(T)/memgate-san

# The example as a user builds it, against what 'make install' leaves.  Not in
# the folders that whoever runs 'make install' has named on the command line.
$(T)/vmm: examples/vmm.c tests/vmm.sh $(OUT)/$(SONAME) \
		$(OUT)/static/libmemgate.a $(OUT)/memgate $(MANS) \
		$(TOP)/include/memgate/memgate.h libmemgate.pc.in
	$(call msg,INSTALL,$(T)/root)
	$(Q)rm -rf $(T)/root
	$(Q)env -i PATH="$$PATH" $(MAKE) -s -o all install \
		O=$(O) prefix=/opt DESTDIR=$(T)/root MADE=$(T)/made \
		LLVM_STRIP="$(LLVM_STRIP)"
	$(call msg,CC,$@)
	$(Q)CC="$(CC)" tests/vmm.sh $< $(T)/root/opt $@

$(T)/cli_helper: tests/cli_helper.c Makefile tests/tests.mk
	$(call msg,CC,$@)
	@mkdir -p $(@D)
	$(Q)$(CC) $(CFLAGS) -D_GNU_SOURCE $(WARN) $(LDFLAGS) -o $@ $< -ljson-c

$(T)/user_helper: tests/user_helper.c Makefile tests/tests.mk
	$(call msg,CC,$@)
	@mkdir -p $(@D)
	$(Q)$(CC) $(CFLAGS) -D_GNU_SOURCE $(WARN) $(LDFLAGS) -o $@ $<

check: $(T)/unit_test $(T)/unit_test-plain $(T_BPF) $(OUT)/memgate lib \
		fuzz-targets
	$(Q)tests/check.sh "$(T)/unit_test $(TPROGS)" \
		"tests/usage_test.sh $(OUT)/memgate" \
		"tests/agree_test.sh $(OUT)/memgate $(CURDIR)" \
		"tests/completion_test.sh $(CURDIR)" \
		"tests/lib_test.sh $(OUT) $(TOP)/include $(CURDIR)" \
		"tests/valgrind.sh $(T)/unit_test-plain $(TPROGS) $(OUT)/memgate" \
		"tests/install_test.sh $(O)" \
		"tests/fuzz/run.sh $(FUZZ) 3 $(TPROGS) $(TARGETS)"

# For selftests/cli_san_test.sh.
$(T)/memgate-san: $(patsubst %.c,$(T)/%.o,$(LIB_SRC) $(CLI_SRC))
	$(call msg,LINK,$@)
	$(Q)$(CC) $(CFLAGS) $(SAN) $(LDFLAGS) -o $@ $^ $(LIBS) -ljson-c

# The same tests without sanitizers, which valgrind cannot run.
$(T)/unit_test-plain: $(wildcard tests/*_test.c) \
		$(filter-out %/main.o,$(CLI_OBJ)) $(OUT)/libmemgate.a \
		$(wildcard lib/*.h cli/*.h) tests/tap.h tests/tests.mk
	$(call msg,LINK,$@)
	$(Q)$(CC) $(CFLAGS) $(OURS) $(LDFLAGS) -o $@ $(filter %.c %.o %.a,$^) \
		$(LIBS) -ljson-c

$(T)/unit_test: $(T_OBJ)
	$(call msg,LINK,$@)
	$(Q)$(CC) $(CFLAGS) $(SAN) $(LDFLAGS) -o $@ $^ $(LIBS) -ljson-c

$(T)/%.o: %.c $(LIBBPF) Makefile tests/tests.mk
	$(call msg,CC,$@)
	@mkdir -p $(@D)
	$(Q)$(CC) $(CFLAGS) $(OURS) $(SAN) -MMD -MP -c -o $@ $<

$(T)/lib/iterate.o: $(OUT)/lib/gates.bpf.o
$(T)/lib/events.o: $(OUT)/lib/events.bpf.o
$(T)/lib/refusals.o: $(OUT)/lib/refusals.bpf.o

$(TPROGS)/%.bpf.o: tests/progs/%.bpf.c $(LIBBPF) \
		$(wildcard $(TOP)/include/memgate/*.bpf.h)
	$(call msg,BPF,$@)
	@mkdir -p $(@D)
	$(Q)$(BPF_CC) -c -o $@ $<

$(TPROGS)/%.bpf.o: $(POLICIES)/%.bpf.c $(LIBBPF) \
		$(wildcard $(TOP)/include/memgate/*.bpf.h)
	$(call msg,BPF,$@)
	@mkdir -p $(@D)
	$(Q)$(BPF_CC) -c -o $@ $<

$(TPROGS)/%.bpf.o: $(TOP)/bpf/%.bpf.c $(LIBBPF) \
		$(wildcard $(TOP)/include/memgate/*.bpf.h $(TOP)/bpf/*.bpf.h)
	$(call msg,BPF,$@)
	@mkdir -p $(@D)
	$(Q)$(BPF_CC) -c -o $@ $<

-include $(T_OBJ:.o=.d)
