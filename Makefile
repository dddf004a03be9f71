# Two commands: `make demo` veils a picture, `make test` passes the tests. Both set up .venv first.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready

.PHONY: demo test check docs figures clean

demo: $(READY)
	@mkdir -p demo
	@$(BIN)/faceveil examples/portrait.jpg -o demo/portrait_veiled.jpg --overwrite
	@echo "Look at examples/portrait.jpg and demo/portrait_veiled.jpg"

test: $(READY)
	$(BIN)/python -m pytest

check: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/cog --check README.md docs/*.md

# Write the generated parts of the documentation anew.
docs: $(READY)
	$(BIN)/cog -r README.md docs/*.md
	$(BIN)/faceveil run --schema > docs/job.schema.json

clean:
	rm -rf $(VENV) demo dist build

# The virtual environment, made anew when the dependencies or the recipe of the models change.
$(READY): pyproject.toml hatch_build.py $(wildcard tools/*.py tools/*.json)
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "faceveil needs Python 3.11 or newer: make PYTHON=python3.11")'
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --upgrade "pip>=25.1"
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable . --group dev
	@touch $@

# The long version of the fuzz tests: ten times the cases, 100 kills, another seed each day.
.PHONY: fuzz
fuzz: $(READY)
	FACEVEIL_FUZZ_CASES=2100 FACEVEIL_KILLS=100 FACEVEIL_FUZZ_SEED=$$(date +%Y%m%d) \
		$(BIN)/python -m pytest tests/dataset/test_fuzz.py tests/apps/test_cli.py -k "fuzz or kill"
