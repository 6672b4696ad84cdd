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
LAYERS       := util formats volumes fs inspect api
SEES_util    :=
SEES_formats := util
SEES_volumes := formats util
SEES_fs      := formats util
SEES_inspect := fs volumes formats util
SEES_api     := inspect fs volumes formats util

# ---- libraries, by layer ----
PKGS         := zlib libzstd jansson ext2fs com_err libseccomp
LIBDEPS      := $(shell $(PKG_CONFIG) --libs $(PKGS)) -lpthread
PKG_CFLAGS   := $(shell $(PKG_CONFIG) --cflags $(PKGS))

WARN     := -Wall -Wextra -Wshadow -Wvla -Wmissing-prototypes -Wstrict-prototypes -Wpointer-arith -Wwrite-strings
CFLAGS   ?= -O2 -g
ALL_CFLAGS = -std=c11 -D_GNU_SOURCE -D_FILE_OFFSET_BITS=64 -DDRYDOCK_VERSION='"$(VERSION)"' $(WARN) \
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
all: $(BUILD)/drydock $(BUILD)/libdrydock.a $(BUILD)/libdrydock.so $(BUILD)/drydock.pc $(BUILD)/compat/.done

# ---- the layers ----
# $(call includes,layer): its own folder, those it sees, the public header.
includes = -Iinclude $(addprefix -Ilib/,$(1) $(SEES_$(1)))

define layer
OBJS_$(1) := $(patsubst lib/%.c,$(O)/%.o,$(wildcard lib/$(1)/*.c))
$(O)/lib$(1).a: $$(OBJS_$(1))
	@rm -f $$@
	$$(AR) rcs $$@ $$^
$(O)/$(1)/%.o: lib/$(1)/%.c Makefile
	@mkdir -p $$(@D)
	$$(CC) $$(ALL_CFLAGS) $$(call includes,$(1)) -MMD -MP -c -o $$@ $$<
endef
$(foreach l,$(LAYERS),$(eval $(call layer,$(l))))

# Upper layers first, for the linker.
LAYER_LIBS := $(foreach l,api inspect fs volumes formats util,$(O)/lib$(l).a)
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

$(BUILD)/drydock.pc: Makefile
	@mkdir -p $(@D)
	@printf '%s\n' 'prefix=$(PREFIX)' 'libdir=$${prefix}/lib' 'includedir=$${prefix}/include' '' 'Name: drydock' \
		'Description: disk images and guest inspection' 'Version: $(VERSION)' 'Requires.private: $(PKGS)' \
		'Libs: -L$${libdir} -ldrydock' 'Libs.private: -lpthread' 'Cflags: -I$${includedir}' >$@

# ---- the program: sees the public header and util ----
CMD_OBJS := $(patsubst cmd/%.c,$(O)/cmd/%.o,$(wildcard cmd/*.c))
$(O)/cmd/%.o: cmd/%.c Makefile
	@mkdir -p $(@D)
	$(CC) $(ALL_CFLAGS) -Iinclude -Icmd -Ilib/util -MMD -MP -c -o $@ $<
$(BUILD)/drydock: $(CMD_OBJS) $(LAYER_LIBS)
	$(CC) $(ALL_LDFLAGS) -o $@ $(CMD_OBJS) $(LAYER_LIBS) $(LIBDEPS)

# Names of peers: the program looks at what it was called.
COMPAT := qemu-img virt-ls virt-cat virt-df virt-filesystems
$(BUILD)/compat/.done: Makefile $(BUILD)/drydock
	@mkdir -p $(@D)
	@for n in $(COMPAT); do ln -sf ../drydock $(@D)/$$n; done
	@touch $@

# ---- unit tests: tests/unit/LAYER/NAME_test.c links with its layer and those below, so that a call upwards fails ----
UNIT_SRCS := $(wildcard tests/unit/*/*_test.c)
UNIT_BINS := $(patsubst tests/unit/%.c,$(BUILD)/unit/%,$(UNIT_SRCS))
CHECK_LIBS = $(shell $(PKG_CONFIG) --libs check)
define unit
$(BUILD)/unit/$(1)/%: tests/unit/$(1)/%.c $(foreach l,$(1) $(SEES_$(1)),$(O)/lib$(l).a) Makefile
	@mkdir -p $$(@D)
	$$(CC) $$(ALL_CFLAGS) $$(call includes,$(1)) -Itests/unit -MMD -MP $$(ALL_LDFLAGS) -o $$@ $$< \
		$(foreach l,$(1) $(SEES_$(1)),$(O)/lib$(l).a) $$(CHECK_LIBS) $$(LIBDEPS)
endef
$(foreach l,$(LAYERS),$(eval $(call unit,$(l))))

.PHONY: unit
unit: $(UNIT_BINS)

.PHONY: clean
clean:
	rm -rf $(BUILD)

-include $(wildcard $(O)/*/*.d $(BUILD)/unit/*/*.d)
