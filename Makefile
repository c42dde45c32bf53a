# Everything a developer does here. "make help" lists it.
#
#   make demo         builds two images on the embedded lab
#   make demo-omi     builds them for Outscale
#   make demo-local   builds two disk images without any cloud
#   make test         runs every check

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
COLLECTION := .collections/ansible_collections/bakehouse/images

# What runs on build hosts must run on Python 3.8; so must its tests.
PY38 := plugins/module_utils plugins/modules tests/unit/plugins/module_utils tests/replay.py
SHELL_SCRIPTS = $(shell git ls-files -co --exclude-standard -- . ':!*.md' ':!*.tar' | xargs grep -lsE '^\#!.*\b(ba)?sh\b' --)
PYTEST = $(IN_VENV) python -m pytest

# Tools of the environment start one another by name.
IN_VENV = PATH="$(CURDIR)/$(BIN):$$PATH"

export ANSIBLE_CONFIG := $(CURDIR)/ansible.cfg

.DEFAULT_GOAL := help
.SUFFIXES:

.PHONY: help
help: ## this list
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/\1|\2/p' Makefile | while IFS='|' read -r name text; do printf '  make %-16s %s\n' "$$name" "$$text"; done

##@ Set up

.PHONY: packages setup setup-test link
packages:
	@tools/packages

link:
	@mkdir -p $(dir $(COLLECTION))
	@[ "$$(readlink $(COLLECTION))" = ../../.. ] || ln -sfn ../../.. $(COLLECTION)

setup: packages link ## what the demo and the lab need: system packages, .venv
	@tools/venv $(VENV) $(PYTHON) controller lab

setup-test: packages link ## what the tests need besides
	@tools/packages requirements/debian-rpm.txt requirements/debian-test.txt
	@tools/venv $(VENV) $(PYTHON) controller lab test

##@ The lab and what runs on it

.PHONY: lab-up lab-down lab-status demo demo-omi demo-local boot
lab-up: setup ## start the lab (does nothing when it is up); then: . .lab/env
	@$(BIN)/python -m lab up --dir .lab

lab-down: ## stop the lab and remove what it made
	@if [ -x $(BIN)/python ]; then $(BIN)/python -m lab down --dir .lab; fi

lab-status: ## what the lab holds
	@$(BIN)/python -m lab status --dir .lab

demo: lab-up ## build two images on the lab with build_ami.yml
	@tools/on-lab ansible-playbook build_ami.yml
	@echo; echo "The lab is still up: '. .lab/env' lets any AWS tool talk to it, 'make lab-down' stops it."

demo-omi: lab-up ## the same for Outscale, with build_omi.yml
	@tools/on-lab ansible-playbook build_omi.yml

demo-local: setup ## as root: build two disk images with build_disk_image.yml, without the lab
	@$(IN_VENV) ansible-playbook build_disk_image.yml

boot: lab-up ## boot an image that the demo built, in QEMU
	@tools/on-lab ansible-playbook bakehouse.images.boot

# Not part of "make test": they judge nothing. OPTIONS="--runs 10 --case same", say; see tests/benchmarks/README.md.
.PHONY: bench bench-connection bench-builds bench-forest
bench: bench-connection bench-builds bench-forest ## as root: all benchmarks, in seconds, ours beside the peers

bench-connection: setup-test ## as root: plays through our connection, through its peers, and through none
	@ADDITIONAL=ansible-core==$$($(BIN)/python -c 'import ansible; print(ansible.__version__)') tools/venv .venv-bench $(PYTHON) benchmark
	@$(BIN)/python -m tests.benchmarks.connection_speed $(OPTIONS)

bench-builds: setup-test ## as root: our builds beside those of Packer's amazon-chroot
	@tools/packages requirements/debian-packer.txt
	@$(BIN)/python -m tests.benchmarks.build_vs_packer $(OPTIONS)

bench-forest: setup-test ## as root: our disk images beside little-vm-helper's pipeline, and forests beside separate builds
	@tools/packages requirements/debian-benchmark.txt
	@$(IN_VENV) unshare --mount --propagation private python -m tests.benchmarks.forest_speed $(OPTIONS)

##@ Checks

.PHONY: test lint lint-python lint-yaml lint-ansible lint-docs lint-changelog lint-shell lint-house types sanity unit
.PHONY: unit-newest integration integration-devices integration-builds build-newest matrix
test: setup-test ## everything but the matrix, with the seconds each stage took
	@$(BIN)/python tools/stages.py

lint: lint-python lint-house lint-yaml lint-shell lint-changelog lint-docs lint-ansible ## ruff, yamllint, ansible-lint, antsibull-docs, shellcheck, our own

lint-python: setup-test
	@$(BIN)/ruff check --quiet --config ruff-modules.toml $(wildcard $(PY38))
	@$(BIN)/ruff format --quiet --diff --config ruff-modules.toml $(wildcard $(PY38))
	@$(BIN)/ruff check --quiet --config ruff.toml $(addprefix --exclude=,$(PY38)) .
	@$(BIN)/ruff format --quiet --diff --config ruff.toml $(addprefix --exclude=,$(PY38)) .

lint-house: setup-test
	@$(BIN)/python tools/check_sizes.py
	@$(BIN)/python tools/check_documents.py
	@$(BIN)/python tools/check_action_group.py

lint-yaml: setup-test
	@$(BIN)/yamllint --strict .

lint-shell: setup-test
	@$(BIN)/shellcheck $(SHELL_SCRIPTS)

lint-changelog: setup-test
	@$(IN_VENV) antsibull-changelog lint

# antsibull-docs copies dependencies as git sees them, and git sees nothing of what lies in .venv: the ceiling
# keeps it from finding this repository from there.
lint-docs: setup-test
	@cd $(COLLECTION) && GIT_CEILING_DIRECTORIES=$(CURDIR)/$(VENV) $(IN_VENV) antsibull-docs lint-collection-docs --plugin-docs --validate-collection-refs=dependent .

lint-ansible: setup-test
	@$(IN_VENV) ansible-lint --offline -q

types: setup-test ## mypy, strict
	@$(IN_VENV) tools/types

sanity: setup-test ## ansible-test sanity on a copy of the collection
	@$(IN_VENV) tools/sanity

unit: setup-test ## unit tests
	@$(PYTEST) tests/unit -n 2 -q

# What does not import ansible-core is left to "make matrix".
unit-newest: setup-test ## unit tests of all that uses ansible-core, with the newest Python here and the newest ansible-core
	@tools/newest python -m pytest tests/unit $(addprefix --ignore=tests/unit/,lab tools plugins/module_utils) -n 2 -q

integration: integration-devices integration-builds ## as root: tests with real devices on the lab, molecule

integration-devices integration-builds: integration-%: setup-test
	@$(IN_VENV) tools/integration $*

build-newest: setup-test ## as root: one whole build with the newest Python here and the newest ansible-core
	@tools/newest tools/whole-build

matrix: setup-test ## unit tests with every supported ansible-core, and with Python 3.8
	@tools/matrix

# Not part of "make test": it takes hours. TORTURE_SEED=... repeats a run; docs/developing.md has what says how many.
.PHONY: torture
torture: setup-test ## as root: kill builds at every step and at random, let everything go wrong, build many at once
	@$(IN_VENV) unshare --mount --propagation private python -m pytest tests/torture -x -rP

# Not part of "make test": a dozen boots without KVM take a while.
.PHONY: long
long: setup-test ## as root: build and boot the images of examples/forest-large, compare each file, and the like; 45 minutes
	@$(IN_VENV) unshare --mount --propagation private python -m pytest -v --durations 12 -m long tests/long tests/integration

# Not part of "make test": it takes some minutes, and needs Packer.
.PHONY: compare-packer
compare-packer: setup-test ## as root: build the same templates with Packer, and compare the images
	@tools/packages requirements/debian-packer.txt
	@$(IN_VENV) unshare --mount --propagation private python -m pytest tests/packer --durations 15

.PHONY: clean
clean: lab-down ## remove all that make made
	@rm -rf .venv .venv-* .collections .cache .ansible .hypothesis .mypy_cache .pytest_cache .ruff_cache build tests/output *.tar.gz
