# The front door and the graph. `make help` lists the targets; CONTRIBUTING.md explains the rest.
#
# An executed notebook depends on its source, its chapter's room in zfutils/experiments/, the rooms that all
# pages share, the edition and the environment. Networks are no targets: a notebook loads the one it needs, or
# trains it. Notebooks run side by side, as many as `-j` says, `-k` goes on past one that fails, and an
# interrupted build goes on where it stopped.

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.SUFFIXES:
MAKEFLAGS += --no-builtin-rules

# Where no -j says how many pages run side by side, each has a core, and 4 GB of memory and of every GPU's.
ifeq ($(MAKECMDGOALS),book)
AT_ONCE := $(shell case " $$MAKEFLAGS " in (*" -j"* | *" --jobs"*) exit ;; esac; exec 2>/dev/null; \
    n=$$(nproc || getconf _NPROCESSORS_ONLN); \
    for megabytes in $$(($$(getconf _PHYS_PAGES) * $$(getconf PAGESIZE) / 1000000)) \
        $$(sed -n 's/[0-9]\{6\}$$//p' /sys/fs/cgroup/memory.max) \
        $$(nvidia-smi --query-gpu=memory.total --format=csv,noheader,nounits); do \
        [ "$$megabytes" -ge $$((4000 * n)) ] || n=$$((megabytes / 4000)); \
    done; [ "$$n" -gt 1 ] && echo "$$n")
MAKEFLAGS += $(AT_ONCE:%=-j%)
endif

EDITION ?= quick
BUILD := _build/$(EDITION)
# Notebooks run in book/, so what the environment names must not depend on where make was called. The shell works
# these paths out: make takes a space for an end and $ for the name of a variable.
quoted = '$(subst ','\'',$1)'
given = $(if $(filter environment%,$(origin $1)),$(value $1),$($1))
absolute = $(shell path=$(call quoted,$(call given,$1)); case "$$path" in (/*) ;; \
    ("~") path=$$HOME ;; ("~/"*) path="$$HOME/$$(printf %s "$$path" | cut -c3-)" ;; (*) path="$$(pwd)/$$path" ;; \
    esac; printf %s "$$path")
ifneq ($(value ZFUTILS_DATA),)
override export ZFUTILS_DATA := $(call absolute,ZFUTILS_DATA)
endif
ifneq ($(value ZFUTILS_BUILD),)
override export ZFUTILS_BUILD := $(call absolute,ZFUTILS_BUILD)
# Targets lie below this name, a link where the folder's own has a character that make would not take.
PLAIN_NAME := $(shell path=$(call quoted,$(ZFUTILS_BUILD)); \
    case "$$path" in (*[!A-Za-z0-9_./,@+-]*) ;; (*) printf %s "$$path"; exit ;; esac; \
    link=/tmp/zfutils-$$(id -u)-$$(printf %s "$$path" | cksum | cut -d' ' -f1); \
    mkdir -p "$$path" && ln -sfn "$$path" "$$link" && [ "$$(readlink "$$link")" = "$$path" ] && echo "$$link")
BUILD := $(or $(PLAIN_NAME),$(error $(ZFUTILS_BUILD) cannot be made or linked to from /tmp))/$(EDITION)
endif

# ---- the environment --------------------------------------------------------------------------------------

VENV := .venv
PY := $(VENV)/bin/python
# Written last, and holds where the environment was made: without it, or in a checkout that was moved, or
# where its Python is gone, the environment is made again from nothing.
READY := $(VENV)/.ready
WHOLE := $(shell [ "$$(cat $(READY) 2>/dev/null)" = "$$(pwd -P)" ] && $(PY) -c "" 2>/dev/null && echo yes)
# Of the user's own settings those are left aside that would bring other packages into the environment.
export PIP_USER := 0
export PYTHONPATH := $(CURDIR)
unexport PYTHONHOME
SUITABLE := import ensurepip, sys, venv; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 14))

$(READY): requirements.lock pyproject.toml $(if $(WHOLE),,always)
	@rm -f $@
	@if [ -z "$(WHOLE)" ]; then \
	    for python in $(PYTHON) python3 python3.14 python3.13 python3.12 python3.11 python; do \
	        "$$python" -c "$(SUITABLE)" >/dev/null 2>&1 && break; python=; \
	    done; \
	    if [ -z "$$python" ]; then \
	        echo "No Python 3.11 to 3.14 with its venv module was found;" \
	             "install one, or name it: make book PYTHON=/path/to/python3.12" >&2; exit 1; \
	    fi; \
	    echo "$$python: making $(VENV), about 6 GB"; "$$python" -m venv --clear $(VENV); \
	fi
	$(PY) -m pip install $(if $(WHOLE),-q) --disable-pip-version-check -c requirements.lock -e '.[book,test]'
	@pwd -P > $@

# ---- the book ---------------------------------------------------------------------------------------------

PAGES := $(shell sed -n -e 's/^ *root: *//p' -e 's/^[ -]*file: *//p' book/_toc.yml)
NOTEBOOKS := $(foreach page,$(PAGES),$(wildcard book/$(page).ipynb))
EXECUTED := $(NOTEBOOKS:book/%=$(BUILD)/book/%)
# These read what every chapter recorded.
LAST := $(filter %/index.ipynb %/scoreboard.ipynb %/discussion.ipynb %/provenance.ipynb,$(EXECUTED))
CHAPTERS := $(filter-out $(LAST),$(EXECUTED))
PLAIN := $(wildcard book/_toc.yml book/*.md book/*.bib book/_static/*)
COPIED := $(PLAIN:book/%=$(BUILD)/book/%)
HTML := $(BUILD)/html/index.html

# The edition's file and those it extends; before there is an environment that reads them, its own alone.
PROFILES := $(or $(if $(WHOLE),$(shell PYTHONPATH= $(PY) -m zfutils.study.editions $(EDITION))),book/profiles/$(EDITION).yaml)
# Measured by `make bench`, and shown on two pages alone.
BENCHMARKS := book/reference/benchmarks.json
CODE := \( -name '*.py' -o -name '*.css' -o -name '*.js' \)
ROOMS := $(shell find zfutils \( -path 'zfutils/experiments/*/*' -o -path 'zfutils/look/*' \) $(CODE) | sort)
SHARED := $(PROFILES) $(filter-out $(ROOMS),$(shell find zfutils $(CODE) | sort)) \
    $(wildcard book/claims.yaml $(filter-out $(BENCHMARKS),$(wildcard book/reference/*.json)) book/data/*)
# A chapter's room is its name without the number: 06_occlusion has zfutils/experiments/occlusion/.
room = $(patsubst $(firstword $(subst _, ,$1))_%,%,$1)
# These pages show networks that were trained before, by what is kept of them.
SCORES := $(wildcard book/reference/scores/$(EDITION)/*.npz)
# The page on a network of one's own shows what zfutils/look/ makes of chapters 3 and 6.
LOOK := zfutils/look/% zfutils/experiments/projections/% zfutils/experiments/occlusion/%
inputs = $(SHARED) $(filter zfutils/experiments/$(call room,$1)/% $(if $(filter your_network,$1),$(LOOK)),$(ROOMS)) \
    $(wildcard book/reference/figures/$1-* $(if $(filter speed size,$1),$(BENCHMARKS))) \
    $(if $(filter 01_% 02_% 04_% 08_% 09_% 12_% 13_% provenance,$1),$(SCORES))

# How many pages share the cores: N of -jN, all chapters with -j alone. Known within a recipe only.
ASKED = $(filter -j%,$(MAKEFLAGS))
SIDE_BY_SIDE = $(words $(wordlist 1,$(if $(ASKED),$(or $(ASKED:-j%=%),$(words $(CHAPTERS))),1),$(CHAPTERS)))

.PHONY: always book browse test test-slow check lab bench lock clean clean-all help

book: $(HTML) ## set up, execute every notebook, build the HTML (EDITION=quick)
	@echo "The book: file://$$(cd $(BUILD)/html && pwd -P)/index.html"

# Changes when an input of the page is removed, which no time stamp tells.
$(EXECUTED:$(BUILD)/book/%.ipynb=$(BUILD)/inputs-of/%): $(BUILD)/inputs-of/%: always
	@mkdir -p $(@D)
	@echo "$(call inputs,$*)" | cmp -s - $@ || echo "$(call inputs,$*)" > $@

# What pages would train one after the other is trained once before the first of them, side by side.
TRAINED := $(BUILD)/trained
$(TRAINED): $(PROFILES) $(READY) $(if $(filter 1,$(FRESH)),always)
	@mkdir -p $(@D)
	@$(PY) -m zfutils train --edition $(EDITION)
	@touch $@

.SECONDEXPANSION:
$(EXECUTED): $(BUILD)/book/%.ipynb: book/%.ipynb $$(call inputs,$$*) $(BUILD)/inputs-of/% $(READY) \
    $(if $(filter 1,$(FRESH)),always) | $(TRAINED)
	@ZFUTILS_JOBS=$${ZFUTILS_JOBS:-$(SIDE_BY_SIDE)} $(PY) -m zfutils execute $< --edition $(EDITION)

$(LAST): $(CHAPTERS)
$(filter %/provenance.ipynb,$(LAST)): $(filter-out %/provenance.ipynb,$(LAST))

$(COPIED): $(BUILD)/book/%: book/%
	@mkdir -p $(@D)
	@cp $< $@

# From nothing each time, in seconds: an incremental build does not repeat the warnings of unchanged pages. The old
# HTML stays until the new one is whole.
$(HTML): $(EXECUTED) $(COPIED) _config.yml tests/check_repository.py $(READY)
	@rm -rf $(BUILD)/render
	@mkdir -p $(BUILD)/book/extra
	@$(PY) $(VENV)/bin/jupyter-book build $(BUILD)/book --config _config.yml --path-output $(BUILD)/render \
	    -W -n --keep-going -q >$(BUILD)/render.log || { cat $(BUILD)/render.log; \
	    echo "The HTML was not made: mend what the warnings above name, in book/, and call make again" >&2; exit 1; }
	@$(PY) tests/check_repository.py html $(BUILD)/render/_build/html
	@rm -rf $(BUILD)/html.old
	@[ ! -e $(BUILD)/html ] || mv $(BUILD)/html $(BUILD)/html.old
	@mv $(BUILD)/render/_build/html $(BUILD)/html
	@rm -rf $(BUILD)/html.old $(BUILD)/render

book/profiles/%.yaml:
	@echo "There is no edition '$*'; there is: $(basename $(notdir $(wildcard book/profiles/*.yaml)))" >&2
	@exit 1

# ---- the rest ---------------------------------------------------------------------------------------------

# Pages and files are shared out (tests/conftest.py) among processes of one thread each: networks of two threads
# that compete are slower than one after the other.
test: MARKED := not slow
test-slow: MARKED := slow
test: $(READY) ## run the tests, side by side
test-slow: $(READY) ## run those that take too long for that
test test-slow:
	@OMP_NUM_THREADS=1 $(PY) -m pytest -n auto --no-loadscope-reorder -m "$(MARKED)"

# Beside the tests, because it needs a built edition and a browser of the system.
browse: $(READY) ## try the built pages in the system's browser (after make book)
	@$(PY) -c "import axe_playwright_python" 2>/dev/null || \
	    $(PY) -m pip install -q --disable-pip-version-check -c requirements.lock -e '.[browse]'
	@OMP_NUM_THREADS=1 $(PY) -m pytest -n auto -q tests/browse --book $(BUILD)/html

check: $(READY) ## format, lint; notebooks without outputs; environment, metadata and lock agree
	@$(PY) -m ruff format --check
	@$(PY) -m ruff check
	@$(PY) tests/check_repository.py

lab: $(READY) ## open the notebooks in JupyterLab
	@$(PY) -m jupyterlab book

bench: $(READY) ## measure speed, side by side with others (QUICK=1: less exactly, in 5 minutes)
	@$(PY) -m benchmarks $(if $(filter 1,$(QUICK)),--quick)

lock: $(READY) ## write requirements.lock from what .venv holds
	@$(PY) tests/check_repository.py lock > requirements.lock.new
	@mv requirements.lock.new requirements.lock

clean: ## remove the edition's pages and results; its pixels and networks stay
	rm -rf $(BUILD)/book $(BUILD)/inputs-of $(BUILD)/results $(BUILD)/render $(BUILD)/html $(BUILD)/html.old

clean-all: ## remove everything generated, every edition's networks and .venv too
	rm -rf _build $(VENV)

help: ## show this
	@echo "make TARGET [EDITION=$(EDITION)] [FRESH=1] [PYTHON=python3.12] [-j1] [-k]"
	@sed -n 's/^\([a-z-]*\):[^#]*## \(.*\)/\1|\2/p' Makefile | awk -F'|' '{printf "  %-10s %s\n", $$1, $$2}'
	@echo "Editions: $(basename $(notdir $(wildcard book/profiles/*.yaml)))"
