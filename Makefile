# Every command sets up what it needs; a second run reinstalls nothing.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
OUT ?= demo
PAGE ?= runs
CUTS ?= 50
KILLS ?= 200

.PHONY: demo test levels aarch64 sanitize sanitize-threads check format mutants bench bench-quick long clean
.DELETE_ON_ERROR:

# Made anew only when the dependencies or the compiled core change; the package itself is installed editable.
$(VENV)/.installed: pyproject.toml constraints.txt CMakeLists.txt $(wildcard cpp/*)
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev]'
	touch $@

demo: $(VENV)/.installed  ## train a forecaster on the airline data, evaluate it, write its report
	$(BIN)/gatewise train forecast src/gatewise/data/airline.csv --target passengers --horizon 12 --holdout 12 \
		--out $(OUT)/airline --overwrite
	$(BIN)/gatewise predict $(OUT)/airline src/gatewise/data/airline.csv --out $(OUT)/airline-1961.csv

test: $(VENV)/.installed  ## the whole test suite
	$(BIN)/python -m pytest

levels: $(VENV)/.installed  ## the tests of the compiled core at every other instruction-set level
	for level in $$($(BIN)/python -c 'import torch, gatewise._core as core; print(*core.levels()[1:])'); do \
		GATEWISE_CPU_LEVEL=$$level $(BIN)/python -m pytest -q \
			tests/backends/test_cpu.py tests/backends/test_native.py tests/backends/test_layer_scan.py \
			tests/backends/test_grid.py tests/nn/test_mdlstm.py tests/nn/test_stream.py || exit 1; \
	done

aarch64: $(VENV)/.installed  ## the core's calls on an emulated AArch64; needs g++-aarch64-linux-gnu and qemu-user
	$(BIN)/python -m tests.long.aarch64

sanitize: $(VENV)/.installed  ## the core's tests on a build that watches memory, and for undefined behaviour
	.ci/watch address
	GATEWISE_CPU_LEVEL=baseline .ci/watch address \
		tests/backends/test_cpu.py tests/backends/test_layer_scan.py tests/backends/test_plan_reader.py

sanitize-threads: $(VENV)/.installed  ## the core's threads on a build that watches for races
	.ci/watch thread

check: $(VENV)/.installed  ## format, lint, types, import rules
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/pyright
	$(BIN)/lint-imports

mutants: $(VENV)/.installed  ## break the derivation in one place after the other; a test must fail for each
	OMP_NUM_THREADS=1 $(BIN)/python tests/mutants.py

bench: $(VENV)/.installed  ## speed of layers against their rivals, their growth, and the page of both in PAGE
	$(BIN)/python -m benchmarks.speed || status=$$?; \
	$(BIN)/python -m benchmarks.speed.scaling || status=$$?; \
	$(BIN)/python -m benchmarks.speed.report --out $(PAGE) --why benchmarks/speed/why.toml || status=$$?; \
	exit $${status:-0}

bench-quick: $(VENV)/.installed  ## a few points of each case, few repeats: do the benchmarks work
	$(BIN)/python -m benchmarks.speed --quick --out runs/quick.jsonl
	$(BIN)/python -m benchmarks.speed.report runs/quick.jsonl --out runs/quick

long: $(VENV)/.installed  ## cut and kill trainings many times; each has to come to the same bits
	OMP_NUM_THREADS=1 $(BIN)/python -m tests.long.cuts --count $(CUTS)
	OMP_NUM_THREADS=1 $(BIN)/python -m tests.long.cuts --count $(CUTS) --workers 2
	OMP_NUM_THREADS=1 $(BIN)/python -m tests.long.kills --kills $(KILLS)

format: $(VENV)/.installed
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

clean:
	rm -rf $(VENV) $(OUT) build dist
