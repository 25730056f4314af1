.PHONY: demo test test-faults lint bench shots lock clean

PYTHON := .venv/bin/python
# Empty is unset: without bytecode on disk each start would compile its libraries again.
export PYTHONDONTWRITEBYTECODE :=

demo: ## the console with a collection of pictures to search; ARGS=--no-serve stops after seeding
	@deploy/environment.sh run
	@.venv/bin/plumbline demo $(ARGS)

test: lint ## everything, a file at a time on up to four cores; TESTS=tests/contract for a part
	@tests/prepare.sh
	@$(PYTHON) -m pytest -n auto --maxprocesses 4 --dist loadfile $(or $(TESTS),tests) $(ARGS)

test-faults: ## every fault on every database, and the table of found, missed and false
	@deploy/environment.sh dev
	@tests/prepare.sh
	@PLUMBLINETEST_FAULTS=all $(PYTHON) -m pytest tests/faults $(ARGS)
	@$(PYTHON) -m tests.faults --clean
	@$(PYTHON) -m tests.faults --clean --second
	@$(PYTHON) -m tests.faults
	@$(PYTHON) -m tests.faults --second

lint: ## style, types, and the arrows between the rooms
	@deploy/environment.sh dev
	@.venv/bin/ruff check .
	@.venv/bin/ruff format --check .
	@.venv/bin/pyright
	@.venv/bin/lint-imports

bench: ## ratios, each measured in one run; ONLY=scan for a part
	@deploy/environment.sh bench
	@tests/prepare.sh
	@$(PYTHON) -m tests.bench $(ONLY)

shots: ## a picture of every page, light and dark, wide and narrow, into shots/
	@deploy/environment.sh dev
	@tests/prepare.sh
	@$(PYTHON) -m tests.shots

lock: ## pin every dependency again
	uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-annotate --no-header \
	  --extra all pyproject.toml -o deploy/requirements.txt
	uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-annotate --no-header \
	  --extra all --group dev pyproject.toml -o deploy/requirements-dev.txt
	uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-annotate --no-header \
	  -c deploy/requirements-dev.txt --extra all --group dev --group bench pyproject.toml -o deploy/requirements-bench.txt

clean:
	rm -rf .venv dist build shots .pytest_cache .ruff_cache .import_linter_cache .hypothesis
