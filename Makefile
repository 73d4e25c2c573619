# Works with GNU make 3.81 (macOS) and later. Needs Python 3.11+ and nothing else beforehand.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed

DEMO_HEAD := Resources/SampleData/DemoHead
DEMO_SKULL := $(DEMO_HEAD)/defective_skull.nrrd
INPUT ?= $(DEMO_SKULL)
OUTPUT ?= demo-output

.PHONY: help setup test lint demo clean

help:
	@echo 'make setup                 install everything into $(VENV) (PYTHON=python3.12 for another Python)'
	@echo 'make demo                  reconstruct the demo head and measure the result, in $(OUTPUT)'
	@echo 'make demo INPUT=head.nrrd  the same for a CT or a skull mask of your own (OUTPUT=folder)'
	@echo 'make test                  lint, then every test'
	@echo 'make lint                  ruff and mypy'
	@echo 'make clean                 remove $(VENV), caches and $(OUTPUT)'

setup: $(INSTALLED)

$(INSTALLED): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	    echo 'Python 3.11 or later is needed, and $(PYTHON) is not one. Try: make setup PYTHON=python3.12' >&2; \
	    exit 1; }
	@$(PYTHON) -m venv $(VENV) || { \
	    echo 'No virtual environment could be made. On Debian and Ubuntu: apt install python3-venv' >&2; \
	    exit 1; }
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[train,test]'
	@touch $@

test: lint
	$(BIN)/python -m pytest --numprocesses auto --dist loadfile

lint: setup
	$(BIN)/ruff check .
	$(BIN)/mypy

demo: setup
	$(BIN)/cranial reconstruct '$(INPUT)' -o '$(OUTPUT)'
ifeq ($(INPUT),$(DEMO_SKULL))
	$(BIN)/cranial evaluate '$(OUTPUT)/defect.nrrd' '$(DEMO_HEAD)/defect.nrrd' --skull '$(DEMO_SKULL)'
	$(BIN)/cranial implant --skull '$(DEMO_SKULL)' --defect '$(OUTPUT)/defect.nrrd' -o '$(OUTPUT)/implant'
endif

clean:
	rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache '$(OUTPUT)'
