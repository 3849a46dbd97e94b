# The front door. Needs git, make, Python 3 with pip, Go and any Node >= 18 with npm; `make setup` brings
# the rest, pinned. Every target may be called at once: what it needs is set up first.

# A shell other than make's default makes every line go through it, with the PATH below.
SHELL := /bin/bash
# Node 24 of the lockfile first; before set-up the machine's own node is found behind it.
export PATH := $(CURDIR)/node_modules/.bin:$(PATH)
MAKEFLAGS += --no-print-directory

.DEFAULT_GOAL := help
.PHONY: help setup setup-helm setup-node demo dev check test unit e2e generate bench

help: ## Show this list.
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / { printf "  make %-11s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: ## Install all that the other targets need (once; the control plane builds for about 7 minutes).
	@node tools/setup.mjs

setup-node:
	@node tools/setup.mjs node-modules

setup-helm: setup-node ## Install helm, for work on charts.
	@node tools/setup.mjs helm

demo: setup ## Show the whole product on a real control plane, then stay up; ONCE=1 ends after the tour.
	@node tools/demo.ts $(if $(filter 1,$(ONCE)),--once)

dev: setup ## Control plane, OpenBao, webhook and poller from this checkout until Ctrl-C; see .dev/env.
	@node tools/dev.ts

check: setup-node ## Format, lint, types, dead code, import directions, generated files.
	@node tools/test.ts check

test: setup ## Set-up, check, unit tests, end-to-end tests; the last line counts them.
	@node tools/test.ts

unit: setup-node ## Only the tests beside the code.
	@node tools/test.ts unit

e2e: setup ## Only the end-to-end tests.
	@node tools/test.ts e2e

generate: setup-node ## Write the generated files anew: CRDs, docs/errors.md.
	@node deploy/generate.ts
	@node tools/generate-docs.ts

soak: setup ## Crash rounds for MINUTES (20): webhook, poller, API server and etcd killed at random under load.
	@node test/soak/run.ts --minutes $(or $(MINUTES),20)

bench: setup ## Benchmarks against real backends; one JSON line a scenario, with its baseline.
	@node bench/create.ts
