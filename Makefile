# Every target sets up what it needs in .venv and says what it does; tasks.py does the work and runs without make, too.
PYTHON ?= python3
MODEL ?=
ARGS ?=

.DEFAULT_GOAL := help
.PHONY: help run lab test test-edges test-slow docs bench lock

help:
	@$(PYTHON) tasks.py --help

run:
	@$(PYTHON) tasks.py run $(MODEL) $(ARGS)

lab test test-edges test-slow docs bench lock:
	@$(PYTHON) tasks.py $@ $(ARGS)
