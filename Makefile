# Every target sets up what it needs, once: the environment in .venv from requirements.lock, and Spark's jars.
# An interrupted set-up is done again by the next call. ARGS="…" is passed on.

READY := .venv/.ready
PYTHON = $(shell for python in python3.11 python3 python; do \
	"$$python" -c 'import sys; sys.exit(sys.version_info[:2] != (3, 11))' 2>/dev/null && echo "$$python" && break; done)

# Images of containers like to forbid Python to keep what it has compiled. Then each of the platform's many processes
# would compile Dagster anew, which makes up half of its start.
export PYTHONDONTWRITEBYTECODE :=

.DEFAULT_GOAL := help
.PHONY: help demo dev test torture lint docs screenshots lock

help: ## List these targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-11s %s\n", $$1, $$2 }' Makefile

demo: $(READY) ## Show the platform at work, from an empty data folder to answered questions
	@.venv/bin/autocorp demo $(ARGS)

dev: $(READY) ## Run the platform on this machine until Ctrl-C
	@.venv/bin/autocorp dev $(ARGS)

test: $(READY) ## Run the tests; ARGS="-k transfer" picks some
	@.venv/bin/pytest --numprocesses 2 --no-loadscope-reorder $(ARGS)

torture: $(READY) ## Kill every part of a platform of its own under load, then compare every row; MINUTES=5
	@.venv/bin/autocorp torture --minutes $(or $(MINUTES),5) $(ARGS)

lint: $(READY) ## Check format, style, types, direction of imports, and that Dagster can load it all
	@.venv/bin/ruff format --check .
	@.venv/bin/ruff check .
	@.venv/bin/ty check
	@.venv/bin/lint-imports
	@.venv/bin/dagster definitions validate

docs: $(READY) ## Write docs/checks.md anew, from the contracts and the checks
	@.venv/bin/python -m autocorp_assets.operations.checks_reference

screenshots: $(READY) ## Take the pictures of README.md anew, from a platform of their own; needs Chromium
	@.venv/bin/pytest autocorp_assets_tests/e2e/browser --timeout 1800 --screenshots docs/images $(ARGS)

lock: $(READY) ## Resolve pyproject.toml into requirements.lock; ARGS="--upgrade" takes newer versions
	@.venv/bin/uv pip compile --no-strip-extras --python-version 3.11 --generate-hashes --no-emit-index-url \
		--no-header --no-annotate --extra dev $(ARGS) -o requirements.lock pyproject.toml

# uv takes a third of pip's time, but does not read pip's configuration: where that names an index, or uv fails
# (another certificate, another proxy), pip does it.
$(READY): requirements.lock pyproject.toml
	@test -e $@ || test -n "$(PYTHON)" || { echo "Python 3.11 is needed (Glue 5.1 runs it), and none of python3.11," \
		"python3 and python is one. Install it, or name it: make PYTHON=/path/to/python3.11" >&2; exit 1; }
	@test -e $@ || { echo "Setting up .venv; once, it takes a minute or two"; "$(PYTHON)" -m venv --clear .venv; }
	@rm -f $@
	@awk '/^[^ ]/ { on = /^uv==/ } on' requirements.lock > .venv/uv.lock
	@{ ! .venv/bin/pip config list | grep -q 'index-url' \
		&& .venv/bin/pip install --disable-pip-version-check --require-hashes -r .venv/uv.lock \
		&& .venv/bin/uv pip sync --require-hashes --python .venv/bin/python requirements.lock; } \
		|| .venv/bin/pip install --disable-pip-version-check --require-hashes -r requirements.lock
	@.venv/bin/uv pip install --offline --no-deps --no-build-isolation --python .venv/bin/python -e .
	@.venv/bin/python -m autocorp_assets.local.spark_runtime
	@touch $@
