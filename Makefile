# Everything is made below build/. Each product is a file with real prerequisites, so that a second
# `make` does nothing; cargo, go and pip are asked only when something that they read has changed.

SHELL := /bin/sh
.SHELLFLAGS := -eu -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.SUFFIXES:
MAKEFLAGS += --no-builtin-rules

PREFIX ?= /usr/local
BINDIR ?= $(PREFIX)/bin
LIBDIR ?= $(PREFIX)/lib
INCLUDEDIR ?= $(PREFIX)/include
SHAREDIR ?= $(PREFIX)/share
DESTDIR ?=
# Arguments of benches/run.sh: make bench BENCH='--quick caller'
BENCH ?=

CARGO ?= cargo
GO ?= go
PYTHON ?= python3
INSTALL ?= install
CARGO_TARGET_DIR ?= target

K6_VERSION := v2.2.0
VERSION := $(shell sed -n 's/^version = "\(.*\)"/\1/p' Cargo.toml)
ABI := $(shell sed -n 's/^\#define LB_ABI_VERSION //p' ffi/include/lb_log.h)
SONAME := liblb_log.so.$(ABI)
# The ABI's number, then the release's.
SHARED := $(SONAME).$(VERSION)

# For scripts. A recipe that names the variable itself would run under `make -n`, too.
export MAKE_PROGRAM := $(MAKE)

BUILD := build
STAMPS := $(BUILD)/.stamps
LOGS := $(BUILD)/logs

# Folders are listed too: their times tell of files that were added or removed.
tree = $(shell find $(1) -name __pycache__ -prune -o \( -type d -o -type f \) -print 2>/dev/null)
RUST_COMMON := Cargo.toml Cargo.lock rust-toolchain.toml
CORE_SOURCES := $(RUST_COMMON) core/Cargo.toml $(call tree,core/src)
FFI_SOURCES := $(CORE_SOURCES) ffi/Cargo.toml $(wildcard ffi/build.rs) $(call tree,ffi/src)
CLI_SOURCES := $(CORE_SOURCES) cli/Cargo.toml $(wildcard cli/build.rs) $(call tree,cli/src cli/assets)
XK6_TREE := $(call tree,xk6-lb)
XK6_SOURCES := $(filter-out %_test.go,$(XK6_TREE))
TARGET_TREE := $(call tree,examples/target)
TARGET_SOURCES := $(filter-out %_test.go,$(TARGET_TREE))

.PHONY: help
help: ## show this text
	@printf 'lb-log %s\n\n' '$(VERSION)'
	@sed -n 's/^\([a-z][a-z-]*\):.*## \(.*\)/  make \1\t\2/p' Makefile | expand -t 18
	@printf '\nEverything is made below build/. See CONTRIBUTING.md for more.\n'

.PHONY: build
build: $(BUILD)/k6 $(BUILD)/lb $(BUILD)/lib/pkgconfig/lb_log.pc ## k6 with our output, lb, the C library and its header
	@printf '%s\n' '$(BUILD)/k6' '$(BUILD)/lb' '$(BUILD)/lib/liblb_log.a' '$(BUILD)/lib/liblb_log.so' \
		'$(BUILD)/lib/pkgconfig/lb_log.pc' '$(BUILD)/include/lb_log.h'

# Anything makes `make demo` push to a Loki of its own, too.
LOKI ?=
.PHONY: demo
demo: $(BUILD)/k6 $(BUILD)/lb $(BUILD)/bin/target $(if $(LOKI),$(BUILD)/tools/loki) ## a k6 test of ten seconds, what its log file holds, and its collection; LOKI=1: with a real Loki, and lb verify
	@examples/demo/demo.sh $(if $(LOKI),--loki)

.PHONY: test
test: | toolchain ## all tests; runs every suite even when one fails
	@tools/suites.sh test

# What the suites need, made at the same time.
.PHONY: test-products check-products
test-products: $(BUILD)/k6 $(BUILD)/lb $(BUILD)/lib/pkgconfig/lb_log.pc $(BUILD)/bin/target $(BUILD)/bin/grafana $(STAMPS)/venv $(STAMPS)/go-tests \
	$(STAMPS)/failpoints $(STAMPS)/lb_log $(BUILD)/tools/loki
	@:
check-products: $(BUILD)/include/lb_log.h $(STAMPS)/venv $(BUILD)/bin/shfmt $(BUILD)/bin/staticcheck
	@:

.PHONY: check
check: | toolchain ## formatting, linters, types, licences; every warning is an error
	@tools/suites.sh check

# Some proofs only, and each fuzz target for longer: make prove PROVE=fuzz FUZZ_SECONDS=600
PROVE ?=
.PHONY: prove
prove: | toolchain ## the queue under loom, miri, sanitizers and fuzzing; most of it needs nightly Rust
	@tools/prove.sh $(PROVE)

.PHONY: bench
bench: build $(BUILD)/bin/target $(BUILD)/bin/k6-timed $(BUILD)/bin/loki-go $(BUILD)/tools/loki $(STAMPS)/peers $(STAMPS)/python-peers $(STAMPS)/go-tests $(STAMPS)/venv $(STAMPS)/lb_log ## speed beside the peers; takes minutes, wants a quiet machine
	@benches/run.sh $(BENCH)

.PHONY: deps
deps: ## install missing Debian packages where that is possible, else name them
	@tools/deps.sh

.PHONY: toolchain
toolchain:
	@tools/deps.sh --check

# A product bears the time at which its making began: what was changed meanwhile is newer.
begin = mkdir -p $(STAMPS) $(LOGS) $(@D) && touch $(STAMPS)/$(@F).began
finish = touch -r $(STAMPS)/$(@F).began $(1) && mv $(1) $@ && rm $(STAMPS)/$(@F).began
stamp = mv $(STAMPS)/$(@F).began $@

# --- the C library, from Rust ---

# One call of cargo makes both libraries. A copy that did not change keeps its time, so that what
# is linked with it is not made again.
keep = if ! cmp -s $(1) $(2); then cp $(1) $(2).new && mv $(2).new $(2); fi

$(STAMPS)/lib: $(FFI_SOURCES) | toolchain
	@$(begin)
	@mkdir -p $(BUILD)/lib
	$(CARGO) build --locked --release --package lb-log-ffi --target-dir '$(CARGO_TARGET_DIR)'
	@$(call keep,'$(CARGO_TARGET_DIR)/release/liblb_log.a',$(BUILD)/lib/liblb_log.a)
	@rm -f $(BUILD)/lib/liblb_log.so*
	@cp '$(CARGO_TARGET_DIR)/release/liblb_log.so' $(BUILD)/lib/$(SHARED)
	@ln -s $(SHARED) $(BUILD)/lib/$(SONAME)
	@ln -s $(SONAME) $(BUILD)/lib/liblb_log.so
	@$(stamp)

# The recipe that does nothing makes `make` look at the library's time again.
$(BUILD)/lib/liblb_log.a: $(STAMPS)/lib
	@:

$(BUILD)/include/lb_log.h: ffi/include/lb_log.h
	@mkdir -p $(@D)
	@cp $< $@

# What a program that links the static library needs besides: Rust's standard library's own needs.
LIBS_PRIVATE := -lgcc_s -lutil -lrt -lpthread -lm -ldl -lc
fill = sed -e 's|@PREFIX@|$(1)|' -e 's|@LIBDIR@|$(2)|' -e 's|@INCLUDEDIR@|$(3)|' \
	-e 's|@VERSION@|$(VERSION)|' -e 's|@LIBS_PRIVATE@|$(LIBS_PRIVATE)|' tools/lb_log.pc.in

# Finds its library from where it lies: the folder build/ may be moved.
$(BUILD)/lib/pkgconfig/lb_log.pc: tools/lb_log.pc.in Makefile Cargo.toml $(STAMPS)/lib $(BUILD)/include/lb_log.h
	@mkdir -p $(@D)
	@$(call fill,$${pcfiledir}/../..,$${prefix}/lib,$${prefix}/include) >$@

# --- lb ---

# For `lb --version`: the last commit that changed what lb is made of, so that no other commit makes
# it anew. Where git does not answer (an archive, another user's checkout) what is known stays.
LB_TREE := $(RUST_COMMON) core cli
COMMIT := $(shell [ ! -e .git ] || { git log -1 --abbrev=12 --format=%h -- $(LB_TREE) && \
	{ git diff --quiet HEAD -- $(LB_TREE) || echo dirty; }; } 2>/dev/null)
COMMIT := $(subst $() ,-,$(COMMIT))
COMMIT := $(or $(COMMIT),$(patsubst $(STAMPS)/commit-%,%,$(wildcard $(STAMPS)/commit-*)),none)

$(STAMPS)/commit-$(COMMIT):
	@mkdir -p $(@D) && rm -f $(STAMPS)/commit-* && touch $@

$(STAMPS)/lb: $(CLI_SOURCES) $(STAMPS)/commit-$(COMMIT) | toolchain
	@$(begin)
	LBLOG_COMMIT='$(filter-out none,$(COMMIT))' $(CARGO) build --locked --release --package lb-cli --target-dir '$(CARGO_TARGET_DIR)'
	@$(call keep,'$(CARGO_TARGET_DIR)/release/lb',$(BUILD)/lb)
	@$(stamp)

$(BUILD)/lb: $(STAMPS)/lb
	@:

# --- lb_log, from Rust for Python ---

PYTHON_TREE := bindings/python
WHEEL_SOURCES := $(CORE_SOURCES) $(addprefix $(PYTHON_TREE)/,Cargo.toml pyproject.toml README.md) \
	$(call tree,$(addprefix $(PYTHON_TREE)/,src lb_log lb_controller))

# Linked by zig against an old glibc, so that it runs wherever CPython's own builds do. In a folder of its own: what is
# compiled for zig is no use to the others. maturin asks the first python3 of the path for zig.
# The unwinder is the system's: glibc ends the daemon threads of an interpreter that goes down by unwinding them with it,
# and the one that zig would put in crashes over what it is then asked.
$(STAMPS)/wheel: $(WHEEL_SOURCES) Makefile $(STAMPS)/venv | toolchain
	@$(begin)
	@rm -rf $(BUILD)/wheels
	PATH='$(CURDIR)/$(BUILD)/venv/bin':"$$PATH" $(BUILD)/venv/bin/maturin build --quiet --locked --release --zig \
		--compatibility manylinux_2_17 --manifest-path $(PYTHON_TREE)/Cargo.toml --target-dir $(BUILD)/wheel --out $(BUILD)/wheels \
		-- -C link-arg="$$($(CC) -print-file-name=libgcc_s.so.1)"
	$(BUILD)/venv/bin/python -m pip wheel --quiet --disable-pip-version-check --no-index --no-deps --no-build-isolation \
		--wheel-dir $(BUILD)/wheels $(PYTHON_TREE)/lb_controller
	@$(stamp)

.PHONY: wheel
wheel: $(STAMPS)/wheel ## the wheels of lb_log and lb_controller for Python, in build/wheels
	@ls $(BUILD)/wheels/*

# For the tests.
$(STAMPS)/lb_log: $(STAMPS)/wheel $(STAMPS)/venv
	@$(begin)
	$(BUILD)/venv/bin/python -m pip install --quiet --disable-pip-version-check --no-deps --no-index --force-reinstall $(BUILD)/wheels/*.whl
	@$(stamp)

# The peers of `make bench BENCH=python`, and ours.
$(STAMPS)/python-peers: benches/python-requirements.txt $(STAMPS)/wheel
	@$(begin)
	$(PYTHON) -m venv --clear $(BUILD)/python-peers
	$(BUILD)/python-peers/bin/python -m pip install --quiet --disable-pip-version-check --only-binary :all: \
		--requirement benches/python-requirements.txt $(BUILD)/wheels/lb_log-*.whl
	@$(stamp)

# Man pages and completions.
SHARE := $(BUILD)/share
$(STAMPS)/share: $(CLI_SOURCES) xtask/Cargo.toml $(call tree,xtask/src) | toolchain
	@$(begin)
	@rm -rf $(SHARE)
	$(CARGO) run --locked --quiet --package xtask --target-dir '$(CARGO_TARGET_DIR)' -- share $(SHARE)
	@$(stamp)

# --- both again, for tests that kill them where they ask for it ---

# In a folder of its own: what is built with the feature never becomes a product.
FAILPOINTS := $(BUILD)/failpoints

$(STAMPS)/failpoints: $(FFI_SOURCES) $(CLI_SOURCES) | toolchain
	@$(begin)
	$(CARGO) build --locked --package lb-log-ffi --package lb-cli --features lb-log-ffi/failpoints,lb-cli/failpoints \
		--target-dir $(FAILPOINTS) --config profile.dev.debug=false
	@$(stamp)

# --- the peers of `make bench`, in Rust and in Go ---

PEERS := benches/peers
$(STAMPS)/peers: $(CORE_SOURCES) $(call tree,$(PEERS)) | toolchain
	@$(begin)
	$(CARGO) build --locked --release --manifest-path $(PEERS)/Cargo.toml --target-dir $(BUILD)/peers
	@$(stamp)

LOKI_GO := $(PEERS)/loki-go
$(BUILD)/bin/loki-go: $(call tree,$(LOKI_GO)) | toolchain
	@$(begin)
	GOWORK=off CGO_ENABLED=0 $(GO) build -C $(LOKI_GO) -buildvcs=false -trimpath -o '$(CURDIR)/$@.new' .
	@$(call finish,$@.new)

# --- k6, from Go ---

# go does not watch the header, which lies outside its packages: a flag with its sum makes it look.
watch_header = CGO_ENABLED=1 CGO_CFLAGS="-O2 -g -DLB_LOG_HEADER_SUM=$$(cksum <ffi/include/lb_log.h | cut -d ' ' -f 1)"

# $(1): further modules. Built under another name: go takes a binary of that name for current when only the library,
# which it does not watch either, has changed; and a k6 that is running stays whole.
xk6_build = echo 'xk6 build $(K6_VERSION) (minutes when it is the first time; what it says is in $(LOGS)/xk6.log)'; \
	GOWORK=off $(watch_header) $(BUILD)/bin/xk6 --verbose build $(K6_VERSION) --with github.com/lb-log/xk6-lb=./xk6-lb \
		$(1) --output $@.new >$(LOGS)/xk6.log 2>&1 || { cat $(LOGS)/xk6.log >&2; exit 1; }

$(BUILD)/k6: $(XK6_SOURCES) $(BUILD)/lib/liblb_log.a $(BUILD)/include/lb_log.h $(BUILD)/bin/xk6
	@$(begin)
	@$(xk6_build)
	@$(call finish,$@.new)

# For `make bench`: a k6 that has, besides our output, one that times it.
TIMED := benches/k6/timed
$(BUILD)/bin/k6-timed: $(call tree,$(TIMED)) $(BUILD)/k6
	@$(begin)
	@$(call xk6_build,--with github.com/lb-log/lb-log/$(TIMED)=./$(TIMED))
	@$(call finish,$@.new)

$(BUILD)/bin/target: $(TARGET_SOURCES) | toolchain
	@$(begin)
	GOWORK=off CGO_ENABLED=0 $(GO) build -C examples/target -buildvcs=false -trimpath -o '$(CURDIR)/$@.new' .
	@$(call finish,$@.new)

# --- tools for building and checking, pinned ---

GO_TOOLS := $(addprefix $(BUILD)/bin/,xk6 staticcheck shfmt)
xk6_PACKAGE := go.k6.io/xk6
staticcheck_PACKAGE := honnef.co/go/tools/cmd/staticcheck
shfmt_PACKAGE := mvdan.cc/sh/v3/cmd/shfmt

$(GO_TOOLS): tools/go.mod tools/go.sum | toolchain
	@$(begin)
	GOWORK=off CGO_ENABLED=0 $(GO) build -C tools -buildvcs=false -trimpath -o '$(CURDIR)/$@.new' $($(@F)_PACKAGE)
	@$(call finish,$@.new)

$(STAMPS)/venv: tools/requirements.txt | toolchain
	@$(begin)
	$(PYTHON) -m venv --clear $(BUILD)/venv
	$(BUILD)/venv/bin/python -m pip install --quiet --disable-pip-version-check --requirement tools/requirements.txt
	@$(stamp)

# Loki, which the tests run against: minutes when it is the first time, and kept then.
$(BUILD)/tools/loki: tools/loki/go.mod tools/loki/go.sum | toolchain
	@$(begin)
	@echo 'building Loki for the tests (7 minutes when it is the first time)'
	GOWORK=off CGO_ENABLED=0 $(GO) build -C tools/loki -buildvcs=false -trimpath -tags netgo -ldflags '-s -w' \
		-o '$(CURDIR)/$@.new' github.com/grafana/loki/v3/cmd/loki
	@$(call finish,$@.new)

# What stands in for Grafana in the tests.
STAND_IN := tests/grafana/server
$(BUILD)/bin/grafana: $(call tree,$(STAND_IN)) | toolchain
	@$(begin)
	GOWORK=off CGO_ENABLED=0 $(GO) build -C $(STAND_IN) -buildvcs=false -trimpath -o '$(CURDIR)/$@.new' .
	@$(call finish,$@.new)

# --- tests of Go, compiled once ---

# go does not know that the static library is part of the test programs: make does.
$(STAMPS)/go-tests: go.work $(XK6_TREE) $(TARGET_TREE) $(BUILD)/lib/liblb_log.a $(BUILD)/include/lb_log.h
	@rm -rf $(BUILD)/go-tests
	@$(begin)
	@mkdir -p $(BUILD)/go-tests
	$(watch_header) $(GO) test -c -buildvcs=false -o $(BUILD)/go-tests/ ./examples/target/... ./xk6-lb/...
	@$(stamp)

# --- installation ---

# Other programs have the name lb too. The command is installed as lb-log; it gets its short name
# where nobody else has it. A package (DESTDIR) has to decide that on the machine it is installed on.
MAN := man/man1
COMPLETIONS := bash-completion/completions zsh/site-functions fish/vendor_completions.d
# What `lb provision` and `lb plugins` look for behind the program.
ASSETS := $(wildcard scripts plugins)
# What belongs to the short name.
SHORT_SHARE := $(MAN)/lb.1 $(join $(addsuffix /,$(COMPLETIONS)),lb _lb lb.fish)
.PHONY: install
install: build $(STAMPS)/share ## install lb, the library and the header below PREFIX (/usr/local); DESTDIR is heeded
	$(INSTALL) -d '$(DESTDIR)$(BINDIR)' '$(DESTDIR)$(LIBDIR)/pkgconfig' '$(DESTDIR)$(INCLUDEDIR)'
	$(INSTALL) -m 755 $(BUILD)/lb '$(DESTDIR)$(BINDIR)/lb-log'
	$(INSTALL) -m 644 $(BUILD)/include/lb_log.h '$(DESTDIR)$(INCLUDEDIR)/lb_log.h'
	$(INSTALL) -m 644 $(BUILD)/lib/liblb_log.a '$(DESTDIR)$(LIBDIR)/liblb_log.a'
	$(INSTALL) -m 755 $(BUILD)/lib/$(SHARED) '$(DESTDIR)$(LIBDIR)/$(SHARED)'
	ln -sf $(SHARED) '$(DESTDIR)$(LIBDIR)/$(SONAME)'
	ln -sf $(SONAME) '$(DESTDIR)$(LIBDIR)/liblb_log.so'
	$(call fill,$(PREFIX),$(LIBDIR),$(INCLUDEDIR)) >'$(DESTDIR)$(LIBDIR)/pkgconfig/lb_log.pc'
	@chmod 644 '$(DESTDIR)$(LIBDIR)/pkgconfig/lb_log.pc'
	for file in $$(cd $(SHARE) && find . -name '*lb-log*'); do \
		$(INSTALL) -D -m 644 $(SHARE)/$$file '$(DESTDIR)$(SHAREDIR)'/$$file; \
	done
	for file in $$(find $(ASSETS) -type f); do \
		mode=644; if [ -x "$$file" ]; then mode=755; fi; \
		$(INSTALL) -D -m $$mode "$$file" '$(DESTDIR)$(SHAREDIR)/lb-log'/"$$file"; \
	done
	@if [ -n '$(DESTDIR)' ]; then \
		echo "the command is $(BINDIR)/lb-log; link lb to it where no other lb is in PATH"; \
	elif other=$$([ -e '$(BINDIR)/lb' ] && echo '$(BINDIR)/lb' || command -v lb) && \
		! [ "$$other" -ef '$(BINDIR)/lb-log' ]; then \
		echo "the command is $(BINDIR)/lb-log: the name lb belongs to $$other"; \
	else \
		ln -sf lb-log '$(BINDIR)/lb'; \
		for file in $(SHORT_SHARE); do $(INSTALL) -m 644 $(SHARE)/$$file '$(SHAREDIR)'/$$file; done; \
		echo "the command is $(BINDIR)/lb"; \
	fi

.PHONY: uninstall
uninstall: ## remove what install has put below PREFIX
	@if [ '$(DESTDIR)$(BINDIR)/lb' -ef '$(DESTDIR)$(BINDIR)/lb-log' ]; then \
		rm -f '$(DESTDIR)$(BINDIR)/lb'; \
		for file in $(SHORT_SHARE); do rm -f '$(DESTDIR)$(SHAREDIR)'/$$file; done; \
	fi
	for folder in $(MAN) $(COMPLETIONS); do rm -f '$(DESTDIR)$(SHAREDIR)'/$$folder/*lb-log*; done
	rm -rf '$(DESTDIR)$(SHAREDIR)/lb-log'
	rm -f '$(DESTDIR)$(BINDIR)/lb-log' '$(DESTDIR)$(INCLUDEDIR)/lb_log.h' \
		'$(DESTDIR)$(LIBDIR)/liblb_log.a' '$(DESTDIR)$(LIBDIR)/liblb_log.so' \
		'$(DESTDIR)$(LIBDIR)/$(SONAME)' '$(DESTDIR)$(LIBDIR)/$(SHARED)' \
		'$(DESTDIR)$(LIBDIR)/pkgconfig/lb_log.pc'

.PHONY: clean
clean: ## remove everything that was made here, except benchmark_results
	rm -rf $(BUILD) '$(CARGO_TARGET_DIR)' dist
	find . \( -name __pycache__ -o -name .pytest_cache -o -name .mypy_cache -o -name .ruff_cache \) -prune -exec rm -rf {} +
