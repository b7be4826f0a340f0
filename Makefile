# Everything this project does, from a bare clone. `make help` lists it.
# A target sets up what it needs: a virtual environment in .venv with the pinned versions of constraints.txt.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
EXTRAS := server,openstack,plot,postgresql,mysql,test,check,docs,proto

.DEFAULT_GOAL := help
.PHONY: help demo demo-kubelet test test-qemu test-kubelet fuzz storm check bench docs proto samples constraints clean

help: ## Show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

$(READY): setup.cfg pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	@echo "Installing accel and the pinned versions of what it needs into $(VENV) …"
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[$(EXTRAS)]'
	@touch $@

demo: $(READY) ## Start everything in one process, show it working, stop: the two-minute tour
	@$(BIN)/python demo/tour.py

demo-kubelet: $(READY) ## The device plugin on a captured host, with a kubelet: pods, CDI, a bad card, a claim, a restart
	@GRPC_VERBOSITY=ERROR $(BIN)/python demo/kubelet.py  # it would tell of connections that a restart ends

test: $(READY) ## Run all tests; what needs a service that is not here is skipped with its reason
	$(BIN)/python -m pytest -n auto --dist loadfile

test-qemu: $(READY) ## Boot a virtual machine with drives to pull and try the agent in it: minutes, by software emulation
	TEST_QEMU=1 $(BIN)/python -m pytest -s tests/e2e/test_qemu.py
	@echo "build/qemu/transcript.txt"

test-kubelet: $(READY) ## Try the device plugin with the real kubelet, built from Debian's source, as root: ten minutes, the first time more
	TEST_KUBELET=1 $(BIN)/python -m pytest -s tests/e2e/test_kubelet_real.py
	@echo "build/kubelet/transcript.txt"

fuzz: $(READY) ## Send the API what its description allows, and much that it does not, for ten minutes
	TEST_FUZZ_SECONDS=600 $(BIN)/python -m pytest tests/e2e/test_fuzz.py

storm: $(READY) ## Let 64 clients bind, unbind and delete at random for a minute on each database
	TEST_STORM_SECONDS=60 $(BIN)/python -m pytest -s tests/e2e/test_storm.py

check: $(READY) ## Lint, format, types, import contracts, samples up to date: under a minute
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/lint-imports
	$(BIN)/oslo-config-generator --config-file etc/accel/config-generator.conf 2>/dev/null | diff -u etc/accel/accel.conf.sample -
	$(BIN)/oslopolicy-sample-generator --namespace accel | diff -u etc/accel/policy.yaml.sample -

bench: $(READY) ## Measure speed and size, print the table of docs/figures.md
	$(BIN)/python -m bench

docs: $(READY) ## Build the documentation, warnings are errors
	$(BIN)/sphinx-build --quiet --fail-on-warning --keep-going -b html docs docs/_build/html
	@echo "docs/_build/html/index.html"

proto: $(READY) ## Generate code from protos/*.proto
	$(BIN)/python protos/generate.py

samples: $(READY) ## Write the sample configuration and the sample policy anew
	$(BIN)/oslo-config-generator --config-file etc/accel/config-generator.conf --output-file etc/accel/accel.conf.sample
	$(BIN)/oslopolicy-sample-generator --namespace accel --output-file etc/accel/policy.yaml.sample

constraints: ## Pin the newest versions of everything that setup.cfg asks for
	rm -rf build/constraints && $(PYTHON) -m venv build/constraints
	build/constraints/bin/python -m pip install --quiet --upgrade pip
	build/constraints/bin/python -m pip install --quiet '.[$(EXTRAS)]'
	build/constraints/bin/python -m pip freeze --exclude accel > constraints.txt

clean: ## Remove what the other targets made
	rm -rf $(VENV) build dist docs/_build .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis *.egg-info
