# resolverd: build, test, install. `make help` lists the words; README.md tells the rest.
#
# Objects and programs of a variant stand in build/<variant>/ and never in the source tree.
# CC, CPPFLAGS, CFLAGS and LDFLAGS given by the caller come last on the command line and so win.

VERSION := 0.1.0
VARIANT ?= release
SEEDS ?= 2000
FIRST ?= 1
FUZZ_SECONDS ?= 60

DESTDIR ?=
PREFIX ?= /usr/local
SBINDIR ?= $(PREFIX)/sbin
BINDIR ?= $(PREFIX)/bin
SYSCONFDIR ?= /etc
LOCALSTATEDIR ?= /var
RUNSTATEDIR ?= /run
DATADIR ?= $(PREFIX)/share
DOCDIR ?= $(DATADIR)/doc/resolverd
MANDIR ?= $(DATADIR)/man
COMPLETIONDIR ?= $(DATADIR)/bash-completion/completions
ZSHCOMPLETIONDIR ?= $(DATADIR)/zsh/site-functions
UNITDIR ?= $(PREFIX)/lib/systemd/system
SYSUSERSDIR ?= $(PREFIX)/lib/sysusers.d

PKG_CONFIG ?= pkg-config
INSTALL ?= install
PYTHON ?= /usr/bin/python3
CLANG_FORMAT ?= clang-format
REPLAY ?= ../shared/replay

# ---- flags -------------------------------------------------------------------------------------

PACKAGES := ldns libcrypto libsodium lmdb libmnl libcyaml jansson libmicrohttpd libsystemd \
	libseccomp
B := build/$(VARIANT)
O := $(B)/obj

# libFuzzer is clang's; everything else builds with either compiler.
ifeq ($(VARIANT)$(origin CC),fuzzdefault)
CC := clang
endif

WARNINGS := -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wconversion \
	-Wno-sign-conversion $(if $(filter 1,$(WERROR)),-Werror)
HARDENING := -fstack-protector-strong -fstack-clash-protection
# A level chosen by the caller stands; without optimisation glibc only warns about it.
FORTIFY := $(if $(findstring _FORTIFY_SOURCE,$(CPPFLAGS) $(CFLAGS))$(filter -O0,$(CFLAGS)),,\
	-U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=3)
# gcc sees uninitialised values and lost bits that are not there once sanitizers have added their
# branches; the other variants look for the real ones.
SANITIZED := -fno-omit-frame-pointer -fno-sanitize-recover=all -Wno-unknown-warning-option \
	-Wno-maybe-uninitialized -Wno-conversion

ifeq ($(VARIANT),release)
VARIANT_CFLAGS := -O2 $(HARDENING) $(FORTIFY)
else ifeq ($(VARIANT),asan)
VARIANT_CFLAGS := -O1 -fsanitize=address,undefined $(SANITIZED)
VARIANT_LDFLAGS := -fsanitize=address,undefined
else ifeq ($(VARIANT),tsan)
VARIANT_CFLAGS := -O1 -fsanitize=thread $(SANITIZED)
VARIANT_LDFLAGS := -fsanitize=thread
else ifeq ($(VARIANT),fuzz)
VARIANT_CFLAGS := -O1 -fsanitize=fuzzer-no-link,address,undefined -fno-omit-frame-pointer \
	-fno-sanitize-recover=all -DFUZZING
VARIANT_LDFLAGS := -fsanitize=address,undefined
else ifeq ($(VARIANT),coverage)
VARIANT_CFLAGS := -O0 --coverage
VARIANT_LDFLAGS := --coverage
else
$(error VARIANT is one of release asan tsan fuzz coverage)
endif

PACKAGE_CFLAGS := $(shell $(PKG_CONFIG) --cflags $(PACKAGES) cmocka 2>/dev/null)
PACKAGE_LIBS := $(shell $(PKG_CONFIG) --libs $(PACKAGES) 2>/dev/null)
TEST_LIBS := $(shell $(PKG_CONFIG) --libs cmocka 2>/dev/null)

OUR_CFLAGS := -std=gnu11 -g -fPIE -pthread -ffile-prefix-map=$(CURDIR)=. \
	$(WARNINGS) $(VARIANT_CFLAGS)
OUR_CPPFLAGS := -D_GNU_SOURCE -DRESOLVERD_VERSION='"$(VERSION)"' \
	-DRESOLVERD_SYSCONFDIR='"$(SYSCONFDIR)/resolverd"' \
	-DRESOLVERD_STATEDIR='"$(LOCALSTATEDIR)/lib/resolverd"' \
	-DRESOLVERD_RUNDIR='"$(RUNSTATEDIR)/resolverd"' -Iresolverd $(PACKAGE_CFLAGS)
COMPILE = $(CC) $(OUR_CPPFLAGS) $(OUR_CFLAGS) $(CPPFLAGS) $(CFLAGS)
LINK = $(CC) -pthread -pie -Wl,-z,relro,-z,now,--as-needed $(OUR_CFLAGS) $(VARIANT_LDFLAGS) \
	$(CFLAGS) $(LDFLAGS)
LIBS = $(PACKAGE_LIBS) -lm

# ---- what is built from what -------------------------------------------------------------------

objects = $(patsubst %.c,$(O)/%.o,$(1))
programs = $(patsubst %.c,$(B)/%,$(1))

MAIN_C := resolverd/daemon/main.c
LIB_C := $(filter-out $(MAIN_C),$(sort $(wildcard resolverd/*/*.c)))
CTL_C := $(sort $(wildcard ctl/*.c))
UNIT_C := $(sort $(wildcard tests/unit/*.c))
SIM_C := $(sort $(wildcard tests/sim/*.c))
SCENARIO_C := $(sort $(wildcard tests/scenario/*.c))
REPLAY_C := tests/fuzz/replay_main.c
FUZZ_C := $(filter-out $(REPLAY_C),$(sort $(wildcard tests/fuzz/*.c)))
BENCH_C := $(sort $(wildcard tests/bench/*.c))
ALL_C := $(wildcard $(MAIN_C)) $(LIB_C) $(CTL_C) $(UNIT_C) $(SIM_C) $(SCENARIO_C) $(REPLAY_C) \
	$(FUZZ_C) $(BENCH_C)

# The daemon less its main(): tests link what they use of it. An archive, so that a test which
# includes a source file to reach its static functions does not get that file twice.
LIB := $(B)/libresolverd.a
DAEMON := $(if $(wildcard $(MAIN_C)),$(B)/resolverd)
CTL := $(if $(CTL_C),$(B)/resolverctl)
SIM := $(if $(wildcard tests/sim/main.c),$(B)/tests/sim/sim)
SCENARIO := $(if $(SCENARIO_C),$(B)/tests/scenario/scenario)
UNITS := $(call programs,$(UNIT_C))
FUZZERS := $(call programs,$(FUZZ_C))
BENCHES := $(call programs,$(BENCH_C))
TESTS := $(UNITS) $(FUZZERS) $(SIM) $(SCENARIO)

.DELETE_ON_ERROR:
.SUFFIXES:
MAKEFLAGS += --no-builtin-rules
.PHONY: all help tests check check-variant asan tsan fuzz scenario system fresh appliance packages sim bench \
	compare kubernetes bench-attacks bench-instructions bench-lowttl bench-restart bench-scrape coverage format format-check tidy layers docs lint \
	deps deps-bench demo demo-prefetch demo-outage run install install-units uninstall dist deb rpm clean FORCE

all: $(DAEMON) $(CTL) ## build the daemon and its client (VARIANT=release)

help: ##- this list
	@sed -n 's/^\([a-z-]*\):.*## /\1 /p' Makefile | \
		while read -r word what; do printf '  %-14s %s\n' "$$word" "$$what"; done
	@echo "Also:" $$(sed -n 's/^\([a-z-]*\):.*##- .*/\1/p' Makefile) | fold -s -w 78
	@echo 'With: VARIANT= SEEDS= FUZZ_SECONDS= WERROR=1 V=1 CC= CFLAGS= LDFLAGS= DESTDIR='

# Two stamps, rewritten only when what they record has changed: the flags, on which every object
# depends, and the list of sources, on which the archive does.
define stamp
ifneq ($$(file <$(1)),$$(strip $(2)))
$(1): FORCE
endif
endef
FLAGS := $(strip $(COMPILE) :: $(LINK) :: $(LIBS))
$(eval $(call stamp,$(B)/flags,$$(FLAGS)))
$(eval $(call stamp,$(B)/sources,$$(LIB_C)))

$(B)/flags:
	@$(PKG_CONFIG) --print-errors --exists $(PACKAGES) cmocka || \
		{ echo 'A library is missing; "make deps" installs what the build needs.' >&2; exit 1; }
	$(shell mkdir -p $(@D))$(file >$@,$(FLAGS))

$(B)/sources:
	$(shell mkdir -p $(@D))$(file >$@,$(strip $(LIB_C)))

# Said in a line each; V=1 shows the commands.
Q := $(if $(V),,@)
say = $(if $(V)$(findstring s,$(firstword -$(MAKEFLAGS))),@:,@echo "  $(1) $@")
# A make inside a make, on all CPUs unless the caller chose a number of jobs.
SUBMAKE = $(MAKE) --no-print-directory $(if $(findstring -j,$(MAKEFLAGS)),,-j$(shell nproc))

$(O)/%.o: %.c $(B)/flags
	$(call say,CC  )
	@mkdir -p $(@D)
	$(Q)$(COMPILE) -MMD -MP -c -o $@ $<

$(O)/tests/%.o: OUR_CPPFLAGS += -Itests
# Read by .incbin, which dependency files do not see.
$(O)/resolverd/config/builtin.o: etc/root.hints etc/trust-anchors
$(O)/resolverd/control/interface.o: $(wildcard resolverd/control/*.varlink)

$(LIB): $(call objects,$(LIB_C)) $(B)/sources
	$(call say,AR  )
	@rm -f $@
	$(Q)$(AR) rcsD $@ $(filter %.o,$^)

define link
$(call say,LINK)
@mkdir -p $(@D)
$(Q)$(LINK) -o $@ $(filter %.o,$^) $(filter %.a,$^) $(1) $(LIBS)
endef

$(B)/resolverd: $(call objects,$(MAIN_C)) $(LIB)
	$(call link)
$(B)/resolverctl: $(call objects,$(CTL_C)) $(LIB)
	$(call link)
$(UNITS): $(B)/%: $(O)/%.o $(LIB)
	$(call link,$(TEST_LIBS))
$(B)/tests/sim/sim: $(call objects,$(SIM_C)) $(LIB)
	$(call link)
# Scenarios play in the simulator's internet.
$(B)/tests/scenario/scenario: $(call objects,$(SCENARIO_C) $(filter-out %/main.c,$(SIM_C))) $(LIB)
	$(call link)
$(BENCHES): $(B)/%: $(O)/%.o $(LIB)
	$(call link)
# Replies are fuzzed in the simulator's internet too.
$(B)/tests/fuzz/reply: $(call objects,$(filter-out %/main.c,$(SIM_C)))
# A fuzz target's main() is libFuzzer's, or elsewhere one that replays its corpus.
ifeq ($(VARIANT),fuzz)
$(FUZZERS): $(B)/%: $(O)/%.o $(LIB)
	$(call link,-fsanitize=fuzzer)
else
$(FUZZERS): $(B)/%: $(O)/%.o $(call objects,$(REPLAY_C)) $(LIB)
	$(call link)
endif

tests: $(DAEMON) $(CTL) $(TESTS) ##- build every test program
.SECONDARY: $(call objects,$(ALL_C))
-include $(patsubst %.o,%.d,$(call objects,$(ALL_C)))

# ---- tests -------------------------------------------------------------------------------------

check: ## install what is missing, build, and run all quick tests
	@tests/needs/check
	@packaging/deps.sh
	@+$(SUBMAKE) tests
	@SEEDS=$(SEEDS) FIRST=$(FIRST) tests/run $(B) layers unit corpus sim scenario system

check-variant: tests
	@SEEDS=$(SEEDS) FIRST=$(FIRST) tests/run $(B) unit corpus sim

asan: ## the tests under AddressSanitizer and UBSan
	@+$(SUBMAKE) VARIANT=asan SEEDS=$$(( ($(SEEDS) + 9) / 10 )) check-variant

tsan: ## the tests under ThreadSanitizer
	@+$(SUBMAKE) VARIANT=tsan SEEDS=$$(( ($(SEEDS) + 19) / 20 )) check-variant

sim: $(SIM) ## the simulated internet alone: SEEDS=1000000 FIRST=1
	$(SIM) --seeds $(SEEDS) --first $(FIRST)

fuzz: ## every fuzz target for FUZZ_SECONDS, from its corpus
	@+$(SUBMAKE) VARIANT=fuzz $(patsubst build/$(VARIANT)/%,build/fuzz/%,$(FUZZERS))
	@tests/fuzz/run build/fuzz $(FUZZ_SECONDS)

scenario: $(DAEMON) $(SCENARIO) ##- text scenarios, and those written for other resolvers
	@REPLAY=$(REPLAY) tests/run $(B) scenario replay

system: $(DAEMON) $(CTL) ## the real daemon against real servers, in a namespace
	@tests/run $(B) system-full

kubernetes: ## CoreDNS and pods in front of the daemon, through outages
	@packaging/deps.sh kubernetes
	@+$(SUBMAKE) all
	@tests/run $(B) kubernetes

appliance: ## the package on a Debian that systemd has booted (root)
	@packaging/deps.sh package
	@tests/appliance/run

fresh: ## demo and check on machines as they come (root; FRESH=...)
	@packaging/deps.sh fresh
	@tests/fresh/run $(FRESH)

siege: $(DAEMON) $(BENCHES) ##- everything at once against one daemon in little memory (root; SIEGE=--short)
	@packaging/deps.sh
	@tests/siege/run $(SIEGE) $(B)

packages: ## Debian, RPM, arm64: built twice alike, inspected (root)
	@packaging/deps.sh package
	@tests/packaging/run

coverage: ##- lines that the unit tests, corpora and simulator reach
	@+$(SUBMAKE) VARIANT=coverage SEEDS=$$(( ($(SEEDS) + 9) / 10 )) check-variant
	@tests/coverage build/coverage/obj

compare: ##- the same questions and lies to four resolvers (COMPARE=--short)
	@packaging/deps.sh compare
	@+$(SUBMAKE) all
	@tests/compare/run $(COMPARE) $(B)

bench: $(DAEMON) $(BENCHES) ## figures beside other resolvers (make deps-bench first)
	@tests/bench/run $(BENCH) $(B)

bench-instructions: $(DAEMON) $(BENCHES) ##- user instructions per UDP hit
	@tests/bench/run --only instructions $(B)

bench-lowttl: $(DAEMON) $(BENCHES) ##- figures for names with a TTL of 5 seconds (PLOT=1 FAST=1)
	@tests/bench/lowttl $(if $(FAST),--fast) $(if $(PLOT),--plot docs/lowttl.svg) $(LOWTTL) $(B)

bench-scrape: $(DAEMON) $(CTL) ##- figures of clients while /metrics is read 100 times a second
	@tests/bench/scrape $(B)

bench-restart: $(DAEMON) $(BENCHES) ##- figures of restarts, crashes and outages
	@tests/bench/restart $(B)

bench-attacks: $(DAEMON) $(SIM) $(BENCHES) ##- figures for zones that are made to cost much
	@tests/bench/attacks $(B)
	@tests/bench/attacked $(B)

# ---- the tree ----------------------------------------------------------------------------------

C_FILES = $(sort $(wildcard $(foreach d,resolverd/* ctl tests/*,$(d)/*.c $(d)/*.h)))

format: ##- lay out all C files
	@$(CLANG_FORMAT) -i $(C_FILES)

format-check: ##- is every C file laid out as "make format" would?
	@$(CLANG_FORMAT) --dry-run -Werror $(C_FILES)

tidy: $(B)/flags ##- clang-tidy over what has changed since it last passed
	@tests/tidy $(sort $(filter-out tests/%,$(ALL_C))) -- $(OUR_CPPFLAGS) -std=gnu11

print-packages:
	@printf 'pc:%s\n' $(PACKAGES) cmocka

layers: ##- does every room include only rooms below it, and has it doors?
	@awk -f tests/layers/check.awk tests/layers/table $(C_FILES)
	@tests/layers/shape tests/layers/shape.allowed $(filter resolverd/% ctl/%,$(C_FILES))

docs: $(B)/tests/unit/console_exposition $(CTL) ##- write what is generated in docs/ and ctl/completion/
	$< --write > docs/metrics.md
	$(CTL) completion bash > ctl/completion/resolverctl.bash
	$(CTL) completion zsh > ctl/completion/resolverctl.zsh

lint: $(DAEMON) $(CTL) ## scripts, units, man pages, dashboard, what documents say
	@shellcheck .ci/run packaging/deps.sh packaging/debian/build packaging/debian/resolverd.p* \
		packaging/rpm/build tests/run tests/needs/check tests/tidy tests/coverage tests/fuzz/run \
		tests/kubernetes/build
	@mandoc -Tlint -Wwarning docs/*.[0-9]
	@tests/monitoring/run
	@tests/docs/run $(B)
	@tests/appliance/units $(B)
	@! grep -Pzo 'assert(In|Regex)\((?:[^()]|\((?:[^()]|\([^()]*\))*\))*?\.said\(' tests/system/test_*.py || \
		{ echo "tests/system: the log has a thread of its own: assertSaid() waits for it"; exit 1; }
	@for shell in bash zsh; do \
		$(CTL) completion $$shell | cmp -s - ctl/completion/resolverctl.$$shell || \
			{ echo "ctl/completion/resolverctl.$$shell is not up to date: make docs"; exit 1; } \
	done

deps: ## install what building and testing need (apt or dnf)
	@packaging/deps.sh

deps-bench: ##- install the resolvers and tools that "make bench" compares with
	@packaging/deps.sh bench
	@$(PYTHON) tests/system/programs.py

clean: ##- remove build/
	rm -rf build

# ---- use ---------------------------------------------------------------------------------------

demo: ## names resolved through real servers, no Internet needed
	@packaging/deps.sh demo
	@+$(SUBMAKE) all
	@$(PYTHON) tests/demo/demo.py --binary $(B)/resolverd $(DEMO)

demo-prefetch: ## a name with a TTL of 5 s, with and without prefetch
	@packaging/deps.sh demo
	@+$(SUBMAKE) all
	@$(PYTHON) tests/demo/prefetch.py --binary $(B)/resolverd $(DEMO)

demo-outage: ## an outage as its operator sees it
	@packaging/deps.sh demo
	@+$(SUBMAKE) all
	@$(PYTHON) tests/demo/outage.py --binary $(B)/resolverd

run: all ## the daemon on port 5300 of loopback, with the real root
	@mkdir -p build/run
	@printf 'listen: ["127.0.0.1:5300", "[::1]:5300"]\ncontrol: {socket: "%s"}\n' \
		$(CURDIR)/build/run/control.sock > build/run/resolverd.yaml
	@echo 'Try: dig @127.0.0.1 -p 5300 example.com; $(B)/resolverctl -s build/run/control.sock status'
	$(B)/resolverd --foreground --config build/run/resolverd.yaml

PATHS := s|@SBINDIR@|$(SBINDIR)|g; s|@SYSCONFDIR@|$(SYSCONFDIR)|g
# resolverd@NAME: one of several, with /etc/resolverd/NAME.yaml and directories of its own.
INSTANCE := s|^Description=.*|&, instance %i|; s|resolverd\.yaml$$|%i.yaml|; s/^\(State\|Runtime\)Directory=.*/&-%i/
MAN_PAGES := $(wildcard docs/*.[1-8])

install-units:
	$(INSTALL) -d $(DESTDIR)$(UNITDIR)
	sed '$(PATHS)' systemd/resolverd.service > $(DESTDIR)$(UNITDIR)/resolverd.service
	sed '$(PATHS); $(INSTANCE)' systemd/resolverd.service > $(DESTDIR)$(UNITDIR)/resolverd@.service
	chmod 644 $(DESTDIR)$(UNITDIR)/resolverd.service $(DESTDIR)$(UNITDIR)/resolverd@.service
	$(INSTALL) -m 644 systemd/resolverd.socket $(DESTDIR)$(UNITDIR)/resolverd.socket

install: all install-units ## install below DESTDIR; an edited configuration stays
	$(INSTALL) -d $(DESTDIR)$(SBINDIR) $(DESTDIR)$(SYSCONFDIR)/resolverd \
		$(DESTDIR)$(SYSUSERSDIR) $(DESTDIR)$(DOCDIR)
	$(INSTALL) -m 755 $(B)/resolverd $(DESTDIR)$(SBINDIR)/resolverd
	$(if $(CTL),$(INSTALL) -d $(DESTDIR)$(BINDIR))
	$(if $(CTL),$(INSTALL) -m 755 $(CTL) $(DESTDIR)$(BINDIR)/resolverctl)
	$(INSTALL) -d $(DESTDIR)$(COMPLETIONDIR) $(DESTDIR)$(ZSHCOMPLETIONDIR)
	$(INSTALL) -m 644 ctl/completion/resolverctl.bash $(DESTDIR)$(COMPLETIONDIR)/resolverctl
	$(INSTALL) -m 644 ctl/completion/resolverctl.zsh $(DESTDIR)$(ZSHCOMPLETIONDIR)/_resolverctl
	test -e $(DESTDIR)$(SYSCONFDIR)/resolverd/resolverd.yaml || \
		$(INSTALL) -m 644 etc/resolverd.yaml $(DESTDIR)$(SYSCONFDIR)/resolverd/resolverd.yaml
	$(INSTALL) -m 644 etc/resolverd.yaml README.md CHANGELOG.md LICENSE docs/*.md $(DESTDIR)$(DOCDIR)
	$(INSTALL) -m 644 packaging/grafana/resolverd.json packaging/prometheus/resolverd.rules.yml \
		systemd/node-local.conf $(DESTDIR)$(DOCDIR)
	$(INSTALL) -m 644 systemd/resolverd.sysusers $(DESTDIR)$(SYSUSERSDIR)/resolverd.conf
	for page in $(MAN_PAGES); do \
		$(INSTALL) -D -m 644 $$page $(DESTDIR)$(MANDIR)/man$${page##*.}/$${page##*/} || exit 1; \
	done

uninstall: ##- remove what install put there, less the configuration and state
	rm -f $(DESTDIR)$(SBINDIR)/resolverd $(DESTDIR)$(BINDIR)/resolverctl
	rm -f $(DESTDIR)$(COMPLETIONDIR)/resolverctl $(DESTDIR)$(ZSHCOMPLETIONDIR)/_resolverctl
	rm -f $(foreach u,resolverd.service resolverd@.service resolverd.socket,$(DESTDIR)$(UNITDIR)/$(u))
	rm -f $(DESTDIR)$(SYSUSERSDIR)/resolverd.conf
	rm -f $(foreach p,$(MAN_PAGES),$(DESTDIR)$(MANDIR)/man$(patsubst .%,%,$(suffix $(p)))/$(notdir $(p)))
	rm -rf $(DESTDIR)$(DOCDIR)

dist: ##- a source archive of the last commit
	@mkdir -p build
	git archive --prefix=resolverd-$(VERSION)/ HEAD | gzip -9n > build/resolverd-$(VERSION).tar.gz
	@echo build/resolverd-$(VERSION).tar.gz

deb: ##- Debian packages of the last commit, into build/deb/
	@packaging/deps.sh package
	@packaging/debian/build -b

rpm: ##- RPM packages of the last commit, into build/rpm/
	@packaging/deps.sh package
	@packaging/rpm/build $(if $(shell command -v apt-get),--nodeps)
