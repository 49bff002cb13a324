.PHONY: inplace test house lint types bench ci clean
PYTHON ?= python
BUILD ?= build/inplace

inplace:  ## compile the core beside its sources (no install)
	cmake -S . -B $(BUILD) -G Ninja -DFASTCORE_INPLACE=ON -DCMAKE_BUILD_TYPE=Release \
	  -DPython_EXECUTABLE=$$($(PYTHON) -c 'import sys; print(sys.executable)') > /dev/null
	cmake --build $(BUILD) $(if $(MODULE),--target $(MODULE))

test:  ## the everyday tests
	$(PYTHON) -m pytest

house:
	$(PYTHON) -m pytest tests/house

lint:
	$(PYTHON) -m ruff check src tests bench docs .ci/*.py

types:
	$(PYTHON) -m mypy

bench:
	$(PYTHON) -m pytest bench/ -s

ci:
	.ci/run

clean:
	rm -rf build dist && find src -name '*.so' -delete
