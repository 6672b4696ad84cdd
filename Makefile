# The only makefile: the layers and who sees whom, the program, tests, man pages, install.
#
# Everything that is built lies in $(BUILD).  Sources are found by wildcard: a new file in a layer needs no line here.

VERSION  := 0.1.0
BUILD    ?= build
PREFIX   ?= /usr/local
DESTDIR  ?=
CC       ?= cc
AR       ?= ar
OBJCOPY  ?= objcopy
PKG_CONFIG ?= pkg-config
# SAN=address,undefined builds with those sanitizers; WERROR=1 makes warnings errors.
SAN      ?=
WERROR   ?=

# ---- who may see whom: a header of a layer that is not listed is not on the include path ----
LAYERS       := util formats volumes fs appliance inspect ops api
SEES_util    :=
SEES_formats := util
SEES_volumes := formats util
SEES_fs      := formats util
SEES_appliance := fs volumes formats util
SEES_inspect := appliance fs volumes formats util
SEES_ops     := inspect appliance fs volumes formats util
SEES_api     := ops inspect appliance fs volumes formats util

# ---- libraries, by layer ----
PKGS         := zlib libdeflate libisal libzstd libxxhash liblzma liblz4 jansson ext2fs com_err libseccomp libcrypto \
	libargon2 libxcrypt
# NTFS=0 leaves out libntfs-3g, and with it the GPL of the whole: NTFS is then told apart, but not read.
NTFS         ?= 1
ifneq ($(NTFS),0)
PKGS         += libntfs-3g
endif
# Sources that need it.
WITHOUT      := $(if $(filter 0,$(NTFS)),lib/fs/ntfs3g_%.c tests/unit/fs/ntfs_test.c)
LIBDEPS      := $(shell $(PKG_CONFIG) --libs $(PKGS)) -lm -lpthread
# Those of util alone.
LIBDEPS_UTIL := $(shell $(PKG_CONFIG) --libs libseccomp jansson libcrypto zlib libdeflate libzstd liblzma liblz4) -lpthread
# Libraries of which a program that needs none of them should not pay the start: they are loaded when they are needed.
PKGS_LATE    := fuse3 hivex libedit libpcre2-8 libxml-2.0
# Those of the helpers that hold connections to servers: programs of their own.
HELPERS      := drydock-http drydock-nbd
PKGS_drydock-http := libcurl
PKGS_drydock-nbd  := libnbd
# As system headers: behind our own folders, so that no library's qcow2.h is taken for ours.
PKG_CFLAGS   := $(patsubst -I%,-isystem %,$(shell $(PKG_CONFIG) --cflags $(PKGS) $(PKGS_LATE) $(foreach h,$(HELPERS),$(PKGS_$(h)))))

WARN     := -Wall -Wextra -Wshadow -Wvla -Wmissing-prototypes -Wstrict-prototypes -Wpointer-arith -Wwrite-strings \
	-Wno-missing-field-initializers
# With sanitizers -O2 takes the compiler twice as long, and most of what runs then is their own work.
CFLAGS   ?= $(if $(SAN),-O1 -g1,-O2 -g)
ALL_CFLAGS = -std=c11 -D_GNU_SOURCE -D_FILE_OFFSET_BITS=64 -DDRYDOCK_VERSION='"$(VERSION)"' \
	$(if $(filter 0,$(NTFS)),,-DDRYDOCK_NTFS) $(WARN) \
	$(if $(WERROR),-Werror) -fvisibility=hidden -fPIC -pthread $(PKG_CFLAGS) $(CFLAGS) \
	$(if $(SAN),-fsanitize=$(SAN) -fno-sanitize-recover=all -fno-omit-frame-pointer)
ALL_LDFLAGS = $(LDFLAGS) $(if $(SAN),-fsanitize=$(SAN)) -pthread

# V=1 shows the commands.
V ?=
ifeq ($(V),)
.SILENT:
endif

O := $(BUILD)/o

.PHONY: all
all: $(BUILD)/drydock $(BUILD)/agent/drydock-agent $(HELPERS:%=$(BUILD)/net/%) $(BUILD)/libdrydock.a $(BUILD)/libdrydock.so $(BUILD)/compat/.done

# ---- the layers ----
# $(call includes,layer): its own folder, those it sees, the public header.  For "..." only: a library that asks for
# <limits.h> means the compiler's.
includes = -Iinclude $(addprefix -iquotelib/,$(1) $(SEES_$(1)))

define layer
OBJS_$(1) := $(patsubst lib/%.c,$(O)/%.o,$(filter-out $(WITHOUT),$(wildcard lib/$(1)/*.c)))
$(O)/lib$(1).a: $$(OBJS_$(1))
	@rm -f $$@
	$$(AR) rcs $$@ $$^
$(O)/$(1)/%.o: lib/$(1)/%.c Makefile
	@mkdir -p $$(@D)
	$$(CC) $$(ALL_CFLAGS) $$(call includes,$(1)) -MMD -MP -c -o $$@ $$<
endef
$(foreach l,$(LAYERS),$(eval $(call layer,$(l))))

# Upper layers first, for the linker.
LAYER_LIBS := $(foreach l,api ops inspect appliance fs volumes formats util,$(O)/lib$(l).a)
LIB_OBJS   := $(foreach l,$(LAYERS),$(OBJS_$(l)))

# The library other programs link: one object in which only the public names are left.
$(BUILD)/libdrydock.a: $(LIB_OBJS)
	@rm -f $@
	$(CC) -nostdlib -r -o $(O)/drydock-whole.o $^
	$(OBJCOPY) --localize-hidden $(O)/drydock-whole.o
	$(AR) rcs $@ $(O)/drydock-whole.o

SONAME := libdrydock.so.0
$(BUILD)/libdrydock.so: $(LIB_OBJS) lib/api/drydock.map
	$(CC) -shared -Wl,-soname,$(SONAME) -Wl,--version-script=lib/api/drydock.map -Wl,--no-undefined $(ALL_LDFLAGS) \
		-o $@ $(LIB_OBJS) $(LIBDEPS)
	@ln -sf libdrydock.so $(BUILD)/$(SONAME)

# ---- the agent in the appliance: a static program of its own, which needs little of util ----
AGENT_OBJS := $(patsubst lib/appliance/agent/%.c,$(O)/agent/%.o,$(wildcard lib/appliance/agent/*.c))
AGENT_INCLUDES := -iquotelib/appliance/agent -iquotelib/appliance -iquotelib/util
$(O)/agent/%.o: lib/appliance/agent/%.c Makefile
	@mkdir -p $(@D)
	$(CC) $(ALL_CFLAGS) $(AGENT_INCLUDES) -MMD -MP -c -o $@ $<
# Without its main(), for its fuzzer.
$(O)/libagent.a: $(filter-out %/main.o,$(AGENT_OBJS))
	@rm -f $@
	$(AR) rcs $@ $^
$(BUILD)/agent/drydock-agent: $(AGENT_OBJS) $(O)/appliance/proto.o $(O)/libutil.a
	@mkdir -p $(@D)
	$(CC) $(ALL_LDFLAGS) $(if $(SAN),,-static) -o $@ $^

# ---- the helpers for sources on a network: net/NAME_main.c is drydock-NAME, the rest is in each; they see util ----
$(O)/net/%.o: net/%.c Makefile
	@mkdir -p $(@D)
	$(CC) $(ALL_CFLAGS) -iquotenet -iquotelib/util -MMD -MP -c -o $@ $<
NET_OBJS := $(patsubst net/%.c,$(O)/net/%.o,$(filter-out %_main.c,$(wildcard net/*.c)))
$(BUILD)/net/drydock-%: $(O)/net/%_main.o $(NET_OBJS) $(O)/libutil.a
	@mkdir -p $(@D)
	$(CC) $(ALL_LDFLAGS) -o $@ $^ $(shell $(PKG_CONFIG) --libs $(PKGS_drydock-$*)) $(LIBDEPS_UTIL)

# ---- the program: sees the public header and util ----
CMD_OBJS := $(patsubst cmd/%.c,$(O)/cmd/%.o,$(wildcard cmd/*.c))
$(O)/cmd/%.o: cmd/%.c Makefile
	@mkdir -p $(@D)
	$(CC) $(ALL_CFLAGS) -Iinclude -iquotecmd -iquotelib/util -MMD -MP -c -o $@ $<
# The mount: a part of the program, which sees what commands see, and them.
FUSE_OBJS := $(patsubst fuse/%.c,$(O)/fuse/%.o,$(wildcard fuse/*.c))
$(O)/fuse/%.o: fuse/%.c Makefile
	@mkdir -p $(@D)
	$(CC) $(ALL_CFLAGS) -Iinclude -iquotefuse -iquotecmd -iquotelib/util -MMD -MP -c -o $@ $<
$(BUILD)/drydock: $(CMD_OBJS) $(FUSE_OBJS) $(LAYER_LIBS)
	$(CC) $(ALL_LDFLAGS) -o $@ $(CMD_OBJS) $(FUSE_OBJS) $(LAYER_LIBS) $(LIBDEPS) -ldl

# Names of peers: the program looks at what it was called.
COMPAT := qemu-img qemu-io qemu-nbd
COMPAT += guestfish
COMPAT += guestmount
COMPAT += guestunmount
COMPAT += virt-alignment-scan
COMPAT += virt-cat
COMPAT += virt-copy-in
COMPAT += virt-copy-out
COMPAT += virt-customize
COMPAT += virt-df
COMPAT += virt-diff
COMPAT += virt-edit
COMPAT += virt-filesystems
COMPAT += virt-get-kernel
COMPAT += virt-index-validate
COMPAT += virt-inspector
COMPAT += virt-list-filesystems
COMPAT += virt-list-partitions
COMPAT += virt-log
COMPAT += virt-ls
COMPAT += virt-rescue
COMPAT += virt-sysprep
COMPAT += virt-tail
COMPAT += virt-tar-in
COMPAT += virt-tar-out
COMPAT += virt-win-reg
$(BUILD)/compat/.done: Makefile $(BUILD)/drydock
	@mkdir -p $(@D)
	@for n in $(COMPAT); do ln -sf ../drydock $(@D)/$$n; done
	@touch $@

# ---- unit tests: tests/unit/LAYER/NAME_test.c links with its layer and those below, so that a call upwards fails ----
UNIT_SRCS := $(filter-out $(WITHOUT),$(wildcard tests/unit/*/*_test.c))
UNIT_BINS := $(patsubst tests/unit/%.c,$(BUILD)/unit/%,$(UNIT_SRCS))
CHECK_LIBS = $(shell $(PKG_CONFIG) --libs check)
define unit
$(BUILD)/unit/$(1)/%: tests/unit/$(1)/%.c $(foreach l,$(1) $(SEES_$(1)),$(O)/lib$(l).a) Makefile
	@mkdir -p $$(@D)
	$$(CC) $$(ALL_CFLAGS) $$(call includes,$(1)) -Itests/unit -MMD -MP $$(ALL_LDFLAGS) -o $$@ $$< \
		$(foreach l,$(1) $(SEES_$(1)),$(O)/lib$(l).a) $$(CHECK_LIBS) $$(LIBDEPS)
endef
$(foreach l,$(LAYERS),$(eval $(call unit,$(l))))

# ---- other test programs: they see every layer ----
# tests/torture/NAME_torture.c and tests/fault/NAME_fault.c are programs; what else lies beside them is linked into each.
# tests/fuzz/NAME_fuzz.c is one decoder's entry: with replay.c it runs over files, with clang's fuzzer it makes them up.
ALL_INCLUDES := -Iinclude -iquotetests/unit $(addprefix -iquotelib/,$(LAYERS) appliance/agent)
# $(call link_test,SOURCES)
link_test = $(CC) $(ALL_CFLAGS) $(ALL_INCLUDES) -I$(dir $<) $(ALL_LDFLAGS) -o $@ $(1) $(O)/libagent.a $(LAYER_LIBS) $(CHECK_LIBS) \
	$(LIBDEPS)
define harness
$(1)_PROGS  := $(patsubst tests/$(1)/%.c,$(BUILD)/$(1)/%,$(wildcard tests/$(1)/*_$(1).c))
$(1)_SHARED := $(filter-out %_$(1).c,$(wildcard tests/$(1)/*.c))
$(BUILD)/$(1)/%_$(1): tests/$(1)/%_$(1).c $$($(1)_SHARED) $(wildcard tests/$(1)/*.h) $(O)/libagent.a $(LAYER_LIBS) Makefile
	@mkdir -p $$(@D)
	$$(call link_test,$$< $$($(1)_SHARED))
endef
$(foreach h,torture fault,$(eval $(call harness,$(h))))

# What tests of the appliance are done with: tests/appliance/NAME_tool.c.
TOOL_PROGS := $(patsubst tests/appliance/%.c,$(BUILD)/appliance-tests/%,$(wildcard tests/appliance/*_tool.c))
$(BUILD)/appliance-tests/%_tool: tests/appliance/%_tool.c $(LAYER_LIBS) $(O)/libagent.a Makefile
	@mkdir -p $(@D)
	$(call link_test,$<)

# The same for tests of the command line: tests/cli/NAME_tool.c.
CLI_TOOLS := $(patsubst tests/cli/%.c,$(BUILD)/cli-tests/%,$(wildcard tests/cli/*_tool.c))
$(BUILD)/cli-tests/%_tool: tests/cli/%_tool.c $(LAYER_LIBS) $(O)/libagent.a Makefile
	@mkdir -p $(@D)
	$(call link_test,$<)

# This one is the program with another main(), which does not do as it should.
$(BUILD)/cli-tests/liar_tool: tests/cli/liar_tool.c $(CMD_OBJS) $(FUSE_OBJS) $(LAYER_LIBS) Makefile
	@mkdir -p $(@D)
	$(CC) $(ALL_CFLAGS) -Iinclude -iquotecmd -iquotelib/util $(ALL_LDFLAGS) -Wl,--allow-multiple-definition -o $@ $< \
		$(CMD_OBJS) $(FUSE_OBJS) $(LAYER_LIBS) $(LIBDEPS) -ldl

FUZZ_SRCS := $(wildcard tests/fuzz/*_fuzz.c)
$(BUILD)/fuzz/%_replay: tests/fuzz/%_fuzz.c tests/fuzz/replay.c $(O)/libagent.a $(LAYER_LIBS) Makefile
	@mkdir -p $(@D)
	$(call link_test,$< tests/fuzz/replay.c)
$(BUILD)/fuzz/%_fuzz: tests/fuzz/%_fuzz.c $(O)/libagent.a $(LAYER_LIBS) Makefile
	@mkdir -p $(@D)
	$(call link_test,$< -fsanitize=fuzzer)

# The fuzzers need the layers compiled by clang with its counters: a build of its own.
FUZZ_BUILD := BUILD=build-fuzz CC=clang SAN=fuzzer-no-link,address,undefined
.PHONY: fuzz fuzz-build fuzz-programs
fuzz-programs: $(FUZZ_SRCS:tests/%.c=$(BUILD)/%)
fuzz-build:
	$(MAKE) $(FUZZ_BUILD) fuzz-programs
fuzz: fuzz-build
	tests/run --build=build-fuzz --fuzz-seconds=$(FUZZ_SECONDS) fuzz
FUZZ_SECONDS ?= 60

.PHONY: unit tests check check-asan lint bench demo
unit: $(UNIT_BINS) $(BUILD)/agent/drydock-agent
tests: unit $(torture_PROGS) $(fault_PROGS) $(TOOL_PROGS) $(CLI_TOOLS) $(FUZZ_SRCS:tests/%_fuzz.c=$(BUILD)/%_replay)
check: all tests
	tests/run --build=$(BUILD) $(T)
# T="unit cli/info" runs a part.  Sanitized libraries cannot be installed and linked to.
T ?=
T_ASAN ?= --except=cli/install unit replay broken torture fault cli appliance/files
ASAN_BUILD := BUILD=build-asan SAN=address,undefined
check-asan:
	$(MAKE) $(ASAN_BUILD) all tests
	$(MAKE) BUILD=build build/agent/drydock-agent
	tests/run --build=build-asan --short-io $(T_ASAN)
lint: all
	tests/run --build=$(BUILD) lint

demo: all
	DRYDOCK=$(abspath $(BUILD)/drydock) sh scripts/demo
$(BUILD)/bench/%: bench/%.c Makefile
	@mkdir -p $(@D)
	$(CC) $(ALL_CFLAGS) -o $@ $<
bench: all $(patsubst bench/%.c,$(BUILD)/bench/%,$(wildcard bench/*.c))
	BUILD=$(abspath $(BUILD)) sh bench/run $(B)
B ?=

# ---- install ----
INSTALL ?= install
BINDIR  := $(DESTDIR)$(PREFIX)/bin
LIBDIR  := $(DESTDIR)$(PREFIX)/lib
INCDIR  := $(DESTDIR)$(PREFIX)/include
DATADIR := $(DESTDIR)$(PREFIX)/share
# The peers' names are not on anybody's PATH unless asked for.
COMPATDIR := $(DESTDIR)$(PREFIX)/libexec/drydock/compat
COMPLETIONS := $(DATADIR)/bash-completion/completions

# The appliance of this host's kernels and programs: only built when asked for, and installed where it was built.
.PHONY: appliance
appliance: all
	$(BUILD)/drydock appliance build --output=$(BUILD)/appliance

.PHONY: install uninstall
install: all
	$(INSTALL) -d $(BINDIR) $(LIBDIR)/pkgconfig $(INCDIR) $(COMPATDIR) $(COMPLETIONS)
	$(INSTALL) -m 755 $(BUILD)/drydock $(BINDIR)
	$(INSTALL) -d $(LIBDIR)/drydock
	$(INSTALL) -m 755 $(BUILD)/agent/drydock-agent $(HELPERS:%=$(BUILD)/net/%) $(LIBDIR)/drydock
	if [ -s $(BUILD)/appliance/key ]; then rm -rf $(LIBDIR)/drydock/appliance && \
		$(INSTALL) -d $(LIBDIR)/drydock/appliance && \
		for f in $(BUILD)/appliance/*; do \
			case $$f in */saved*) continue;; */uml) m=755;; *) m=644;; esac; \
			$(INSTALL) -m $$m $$f $(LIBDIR)/drydock/appliance || exit 1; done; fi
	$(INSTALL) -m 755 $(BUILD)/libdrydock.so $(LIBDIR)/libdrydock.so.$(VERSION)
	ln -sf libdrydock.so.$(VERSION) $(LIBDIR)/$(SONAME)
	ln -sf $(SONAME) $(LIBDIR)/libdrydock.so
	$(INSTALL) -m 644 $(BUILD)/libdrydock.a $(LIBDIR)
	$(INSTALL) -m 644 include/drydock.h $(INCDIR)
	sed -e 's|@PREFIX@|$(PREFIX)|' -e 's|@VERSION@|$(VERSION)|' -e 's|@PKGS@|$(PKGS)|' lib/api/drydock.pc.in \
		>$(LIBDIR)/pkgconfig/drydock.pc
	for page in man/*.[0-9]; do \
		d=$(DATADIR)/man/man$${page##*.}; $(INSTALL) -d $$d && $(INSTALL) -m 644 $$page $$d || exit 1; done
	$(INSTALL) -m 644 completions/drydock $(COMPLETIONS)
	for n in $(COMPAT); do ln -sf ../../../bin/drydock $(COMPATDIR)/$$n || exit 1; done
uninstall:
	rm -f $(BINDIR)/drydock $(LIBDIR)/libdrydock.so* $(LIBDIR)/libdrydock.a $(LIBDIR)/pkgconfig/drydock.pc
	rm -f $(INCDIR)/drydock.h $(COMPLETIONS)/drydock
	for page in man/*.[0-9]; do rm -f $(DATADIR)/man/man$${page##*.}/$${page##*/}; done
	rm -rf $(DESTDIR)$(PREFIX)/libexec/drydock $(LIBDIR)/drydock

# ---- the rest ----
# For scripts: the value of a variable.
show-%:
	@echo '$($*)'

.PHONY: deps clean help
deps:
	sh scripts/deps build demo test
clean:
	rm -rf build build-*
help:
	@echo 'all          the program, the library, the names of peers in $(BUILD)/compat'
	@echo 'check        every test but the fuzzers; T="unit cli/info" runs a part'
	@echo 'check-asan   the tests under AddressSanitizer and UndefinedBehaviorSanitizer'
	@echo 'lint         what reads the source: layers, banned calls, symbols, manual pages'
	@echo 'fuzz         each fuzzer for FUZZ_SECONDS ($(FUZZ_SECONDS))'
	@echo 'bench        speed and memory against peers; B="ls cat" runs a part'
	@echo 'demo         a real guest made, converted, checked and read, in a minute'
	@echo 'appliance    the small virtual machine, from this host, for install'
	@echo 'install      to DESTDIR/PREFIX ($(DESTDIR)$(PREFIX)); uninstall takes it away'
	@echo 'deps         the Debian packages that all this needs (scripts/packages.txt)'
	@echo 'clean        removes what was built'
	@echo 'V=1 shows the commands; WERROR=1 makes warnings errors; SAN=address,undefined builds with sanitizers.'

-include $(wildcard $(O)/*/*.d $(BUILD)/unit/*/*.d)
