# make demo: detect the faces in the sample videos. make test: the tests. Both set up .venv first.
# Needed on the machine: python3 (3.11 or newer) with its venv module, make, git.

PYTHON ?= python3
BIN := .venv/bin
INSTALLED := .venv/.installed
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.PHONY: help venv assets demo example test test-slow test-browser test-pyfeat lint docs bench bench-quick bench-gate calibrate coverage dist check-dist audit clean

# One thread a process: several processes share the cores, and results do not depend on their number.
export OMP_NUM_THREADS ?= 1

# One process more than the two cores of the smallest machine, because tests of clusters and object stores mostly wait.
WORKERS := -n 3 --dist worksteal

help:
	@echo "make demo       detect the faces in the sample videos and pictures, write build/demo/report.html"
	@echo "make example    a published study from detections to figures, in build/examples/good_bad_news"
	@echo "make test       the tests (make test-slow: the slow ones too)"
	@echo "make test-browser  the viewer, the report and saved pictures in a real browser (chromium and chromedriver)"
	@echo "make test-pyfeat  the adapter for py-feat on its own classes, in an environment of their own (build/pyfeat)"
	@echo "make lint       ruff and mypy"
	@echo "make docs       the documentation in build/docs"
	@echo "make bench      the benchmarks, into docs/benchmarks.json and .md (an hour; bench-quick: whether they run)"
	@echo "make bench-gate a few ratios that no change may let grow, in seconds"
	@echo "make calibrate  false-positive rates and power of the tests, the tables of docs/statistics.md, isc.md, time_resolved.md and signal_analysis.md (hours)"
	@echo "make coverage   the tests, with the share of lines and branches that they reach (95 % at least)"
	@echo "make dist       wheel and source distribution in build/dist"
	@echo "make check-dist the same, installed into a fresh environment, where the README is followed"
	@echo "make audit      known vulnerabilities of the pinned dependencies"
	@echo "make venv       the environment in .venv, which all of these need"

venv: $(INSTALLED)

$(INSTALLED): pyproject.toml constraints.txt
	@command -v $(PYTHON) >/dev/null || { \
	  echo "found no $(PYTHON); expected Python 3.11 or newer. Name one: make PYTHON=python3.12 $(MAKECMDGOALS)" >&2; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || { \
	  echo "found $$($(PYTHON) --version 2>/dev/null || echo '$(PYTHON), which does not run'); expected Python 3.11 or newer. Name one: make PYTHON=python3.12 $(MAKECMDGOALS)" >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { \
	  echo "$(PYTHON) has no venv module. On Debian and Ubuntu: apt-get install python3-venv" >&2; exit 1; }
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv
	@echo "installing into .venv (a few minutes the first time)"
	@{ $(BIN)/python -m pip install -qq --disable-pip-version-check -c constraints.txt pip && \
	   $(BIN)/python -m pip install -qq -c constraints.txt --group dev -e '.[node]'; } || { \
	  echo "The packages could not be installed (see above). Without a network, point pip to a mirror or to a" >&2; \
	  echo "folder of wheels with pip's own configuration (PIP_INDEX_URL, PIP_FIND_LINKS) and run make again." >&2; exit 1; }
	@touch $@

assets: venv
	@$(BIN)/facearray models pull > /dev/null || { \
	  echo "Model or sample files are missing; the lines above say which. Where they cannot be downloaded, copy them from" >&2; \
	  echo "another machine into a folder and name it: FACEARRAY_ASSETS=/the/folder make $(MAKECMDGOALS)" >&2; exit 1; }

demo: venv
	@$(BIN)/facearray demo --output build/demo

# The study's files, where they are beside the checkout; else they are fetched. VIDEOS=1 begins with the clips themselves.
example: venv
	@if [ -z "$${FACEARRAY_ASSETS:-}" ] && [ -d ../shared/data/good_bad_news ]; then export FACEARRAY_ASSETS=../shared/data; fi; \
	$(BIN)/python examples/good_bad_news.py $(if $(VIDEOS),--videos)
	@echo "build/examples/good_bad_news"

test: assets
	@$(BIN)/pytest $(WORKERS) -q -m "not slow and not browser"

test-slow: assets
	@$(BIN)/pytest $(WORKERS) -q -m "not browser"

test-browser: assets
	@command -v chromedriver >/dev/null && command -v chromium >/dev/null || { \
	  echo "found no chromium and chromedriver. On Debian: apt-get install chromium chromium-driver" >&2; exit 1; }
	@$(BIN)/pytest -q tests/browser

# torchcodec and torchvision come as builds for CUDA; the tests do without their libraries where these do not load.
build/pyfeat/.installed: pyproject.toml
	@$(PYTHON) -m venv build/pyfeat
	@echo "installing py-feat into build/pyfeat (some minutes and 7 GB the first time)"
	@build/pyfeat/bin/python -m pip install -qq --disable-pip-version-check -e '.[pyfeat]' pytest hypothesis
	@touch $@

test-pyfeat: build/pyfeat/.installed
	@build/pyfeat/bin/python -m pytest -q tests/pyfeat

lint: venv
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy

docs: assets
	@$(BIN)/sphinx-build -q -W --keep-going -b html docs build/docs
	@echo "build/docs/index.html"

# Peers that cannot live in .venv get environments of their own in build/peers, once. BENCH="isc read": those alone.
BENCH ?=
bench: assets
	@$(BIN)/python -m benchmarks $(BENCH)

bench-quick: assets
	@$(BIN)/python -m benchmarks --quick $(BENCH)

bench-gate: venv
	@$(BIN)/python -m benchmarks.gate

calibrate: venv
	@$(BIN)/python tests/unit/stats/test_calibration.py
	@$(BIN)/python tests/unit/stats/test_isc_calibration.py
	@$(BIN)/python tests/unit/stats/test_time_resolved_calibration.py
	@PYTHONPATH=tests $(BIN)/python tests/unit/signal/test_synchrony_calibration.py

coverage: assets
	@$(BIN)/pytest $(WORKERS) -q -m "not slow and not browser" --cov --cov-report=term --cov-report=html:build/coverage
	@echo "build/coverage/index.html"

# Tools of a release, in an environment of their own.
build/release/.installed: pyproject.toml
	@$(PYTHON) -m venv build/release
	@build/release/bin/python -m pip install -qq --disable-pip-version-check -c constraints.txt pip
	@build/release/bin/python -m pip install -qq --group release
	@touch $@

dist: build/release/.installed
	@rm -rf build/dist
	@build/release/bin/python -m build --outdir build/dist . > build/dist.log || { cat build/dist.log >&2; exit 1; }
	@build/release/bin/twine check --strict build/dist/*
	@ls -1 build/dist/*

check-dist: dist
	@$(PYTHON) tools/check_dist.py build/dist

audit: build/release/.installed
	@build/release/bin/pip-audit --strict --no-deps --disable-pip --progress-spinner off -r constraints.txt

clean:
	@rm -rf build .venv docs/gallery/samples.zarr*
