# One word for each job. `make run` and `make test` set up all they need.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.stamp
JOBS ?= 3
PORT := $(wildcard deploy/meinheld/*.py deploy/meinheld/edits/*.py deploy/meinheld/src/* \
        pihub/_core/include/ph_direct.h)
CORE := $(wildcard pihub/_core/*.pyx pihub/_core/*.pxd pihub/_core/include/*.h pihub/_core/include/vendor/*.h)

.DEFAULT_GOAL := help
.PHONY: help run install test quicktest lint types law ready meinheld core bench bench-full trace asan lock clean security compat
.PHONY: wheels bundle deb test-arm test-boot release

help:  ## this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

run: install  ## set up and run the hub (simulated upstreams unless configured)
	$(BIN)/pihub serve $(ARGS)

install: $(STAMP)-run core  ## the environment with everything the hub needs

# Three processes for two cores, since many tests wait; files in the order of tests/conftest.py. What
# fails in that crowd is asked once more, alone: a machine that is too busy for a timer is no defect,
# and both answers are printed.
test: $(STAMP)-dev core  ## set up and pass the whole test suite
	$(BIN)/python -m pytest -n $(JOBS) --dist loadfile --no-loadscope-reorder $(ARGS) || \
	  { echo "once more, what failed, one at a time:"; $(BIN)/python -m pytest -n 0 --lf --lfnf=none -q; }

quicktest: $(STAMP)-dev core  ## the suite without what is marked slow
	$(BIN)/python -m pytest -m "not slow" $(ARGS)

lint: $(STAMP)-dev  ## style of Python and Cython
	$(BIN)/ruff check pihub tests benchmarks arm deploy setup.py
	PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/cython-lint pihub/_core --max-line-length 100 --ban-relative-imports

types: $(STAMP)-dev core  ## mypy strict, and the core's stubs against the built core
	$(BIN)/mypy
	$(BIN)/python -m mypy.stubtest pihub._core --concise --allowlist deploy/stubtest-allowlist.txt

compat: $(STAMP)-dev core  ## LangChain's chat classes and litellm against a hub
	$(PYTHON) -m venv .venv-compat
	.venv-compat/bin/python -m pip install --quiet --disable-pip-version-check -r requirements-compat.txt
	$(BIN)/python -m tests.compat .venv-compat/bin/python

law: $(STAMP)-dev core  ## the architecture's tests alone
	$(BIN)/python -m pytest -q tests/law

ready: lint types test  ## may this be committed?

security: $(STAMP)-dev core  ## scanners, fuzzers and attacks on a hub of its own; ARGS=--short: four minutes
	deploy/security.sh $(BIN)/python $(ARGS)

bench: $(STAMP)-dev core  ## the benchmark suite in three minutes; a report in dist/bench
	$(BIN)/python -m benchmarks suite $(ARGS)

bench-full: $(STAMP)-dev core  ## the same for half an hour, with narrower figures
	$(BIN)/python -m benchmarks suite --full $(ARGS)

wheels: $(STAMP)-dev  ## wheels of the hub and all it needs, for every machine (dist/wheels)
	$(BIN)/python -m arm.wheels $(ARGS)

bundle: wheels  ## one archive a machine that installs without network
	$(BIN)/python -m arm.bundle $(ARGS)

deb: wheels  ## Debian packages for arm64 and amd64, for bookworm and trixie
	$(BIN)/python deploy/debian/build.py $(ARGS)

test-arm: $(STAMP)-dev  ## install the ARM archive under emulation and use it there
	$(BIN)/python -m arm.wheels --machine aarch64 --python 3.11 --python 3.13
	$(BIN)/python -m arm.bundle --machine aarch64
	$(BIN)/python deploy/debian/build.py --machine aarch64
	$(BIN)/python -m arm.prove $(ARGS)

test-boot: $(STAMP)-dev  ## boot an emulated machine with systemd and prove the package there
	$(BIN)/python -m arm.wheels --machine aarch64 --python 3.11 --python 3.13
	$(BIN)/python deploy/debian/build.py --machine aarch64
	$(BIN)/python -m arm.boot $(ARGS)

release: $(STAMP)-dev  ## all that is published, with bill of materials and checksums
	$(BIN)/python -m arm.release $(ARGS)

trace: $(STAMP)-dev  ## coverage of Python and Cython lines
	deploy/coverage.sh $(BIN)/python $(ARGS)

asan: $(STAMP)-dev  ## the core and its C programs under AddressSanitizer and UBSan
	deploy/asan.sh $(BIN)/python $(ARGS)

lock: $(STAMP)-dev  ## pin every dependency by hash
	deploy/lock.sh $(BIN)/python

$(VENV)/bin/python:
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "pihub needs Python 3.11 or newer; name it: make PYTHON=python3.13 run"; exit 1; }
	$(PYTHON) -m venv $(VENV)

$(STAMP)-run: requirements.lock requirements-build.lock $(PORT) | $(VENV)/bin/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-build.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	$(BIN)/python deploy/meinheld/build.py --out wheelhouse --install
	@touch $@

$(STAMP)-dev: $(STAMP)-run requirements-dev.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-dev.lock
	@touch $@

meinheld: | $(VENV)/bin/python  ## build and install the ported server
	$(BIN)/python deploy/meinheld/build.py --out wheelhouse --install

core: $(STAMP)-core

$(STAMP)-core: $(STAMP)-run setup.py pyproject.toml arm/flags.py $(CORE)
	$(BIN)/python setup.py -q build_ext --inplace --parallel 2
	PIHUB_BUILD=none $(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@

clean:  ## forget everything that was built
	rm -rf build dist wheelhouse *.egg-info $(VENV)
	find pihub -name '*.so' -delete
	find pihub/_core -maxdepth 1 -name '*.c' -delete
