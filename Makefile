# Needs python3 >= 3.11 and make. The first target that is run creates .venv from requirements.lock; it is reused
# afterwards, and refreshed only when requirements.lock or pyproject.toml change.
PYTHON ?= python3
VENV := .venv
PY := $(VENV)/bin/python
STAMP := $(VENV)/.installed
# Snakemake, apart from what the book and its tests need.
CLUSTER := .venv-cluster
# Two processes of one thread: where others compete for the cores, threads that wait for each other
# take ten times as long, and a notebook's cell ran past its time.
JOBS ?= 2
THREADS ?= 1
OLD_ENOUGH := -c 'import sys; raise SystemExit(sys.version_info < (3, 11))'

.DEFAULT_GOAL := help
.PHONY: help book pdf article test cluster-test notebooks clean lock

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

book: $(STAMP) ## run the notebooks and build the book: _build/html/index.html
	@$(PY) book/build.py

pdf: book ## print the book with Chromium: _build/book.pdf
	@$(PY) book/pdf.py

article: $(STAMP) ## print a reproduction report of at most four pages with Chromium: _build/article.pdf
	@$(PY) book/article.py

test: $(STAMP) ## run all tests: both packages and their doctests, the notebooks, the book in a browser
	$(PY) -m ruff check && $(PY) -m ruff format --check
	OMP_NUM_THREADS=$(THREADS) $(PY) -m pytest -n $(JOBS) --dist loadfile sslib reproduction tests notebooks/*.ipynb \
		--durations 25 --nbval-lax --nbval-current-env --nbval-cell-timeout=1200 --nbval-sanitize-with tests/nbval_sanitize.cfg

cluster-test: $(STAMP) $(CLUSTER)/.installed ## test the workflow with Snakemake; with Slurm, too, where it is installed
	SNAKEMAKE=$(CLUSTER)/bin/snakemake $(PY) -m pytest tests/workflow --durations 10

$(CLUSTER)/.installed: workflow/requirements.lock
	@$(PY) -m venv --clear $(CLUSTER)
	@if uv --version >/dev/null 2>&1; then install="uv pip install --quiet --python $(CLUSTER)/bin/python"; \
	else install="$(CLUSTER)/bin/python -m pip install --quiet --disable-pip-version-check"; fi; \
	$$install --require-hashes -r workflow/requirements.lock
	@touch $@

clean: ## delete what was built, keep .venv
	rm -rf _build .pytest_cache .hypothesis sslib.egg-info
	find . -name .venv -prune -o -name __pycache__ -type d -exec rm -rf {} +

notebooks: $(STAMP) ## run all notebooks in place, as they are committed
	@$(PY) book/commit_notebooks.py

lock: ## resolve requirements.lock anew (needs uv)
	uv pip compile pyproject.toml --extra reproduction --extra book --extra test --universal --python-version 3.11 \
		--generate-hashes --no-emit-index-url --no-header -o requirements.lock
	cd workflow && uv pip compile requirements.in --universal --python-version 3.11 \
		--generate-hashes --no-emit-index-url --no-header -o requirements.lock

$(STAMP): requirements.lock pyproject.toml
	@if ! $(PY) $(OLD_ENOUGH) 2>/dev/null; then \
		$(PYTHON) $(OLD_ENOUGH) 2>/dev/null || { \
			echo "This needs Python 3.11 or newer; $(PYTHON) is: $$($(PYTHON) --version 2>&1)." \
				"Name another one: make PYTHON=python3.12 ..."; exit 1; }; \
		$(PYTHON) -m venv --clear $(VENV) || { \
			echo "$(PYTHON) cannot create an environment (on Debian and Ubuntu: apt-get install python3-venv)."; \
			exit 1; }; \
	fi
	@echo "Installing requirements.lock into $(VENV): several GB with torch, minutes, once"
	@if uv --version >/dev/null 2>&1; then \
		install="uv pip install --quiet --python $(PY) --compile-bytecode"; \
	else \
		install="$(PY) -m pip install --quiet --disable-pip-version-check"; \
	fi; \
	$$install --require-hashes -r requirements.lock && $$install --no-deps --no-build-isolation -e .
	@touch $@
