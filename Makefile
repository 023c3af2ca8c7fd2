# Everything runs from .venv, which `make install` builds with pip alone.
PYTHON ?= python3
BIN := .venv/bin
STAMP := .venv/.installed

.PHONY: install check test demo docs clean

install: $(STAMP)

$(STAMP): pyproject.toml constraints.txt
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable ".[dev]"
	touch $(STAMP)

check: install
	PATH="$(CURDIR)/$(BIN):$$PATH" ./check

# Two workers with one thread each: as fast as two cores allow, whatever else runs beside.
test: install
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest --numprocesses 2 --dist loadfile --durations 20

demo: install
	$(BIN)/video-tcav demo --out demo-out

docs: install
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict

clean:
	rm -rf .venv site demo-out example-out calibration-out attribution-out explain-out
