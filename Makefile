# The front door. Needs git, make, Python 3 with pip, Go and any Node >= 18 with npm; `make setup` brings
# the rest, pinned. Every target may be called at once: what it needs is set up first.

# A shell other than make's default makes every line go through it, with the PATH below.
SHELL := /bin/bash
# Node 24 of the lockfile first; before set-up the machine's own node is found behind it.
export PATH := $(CURDIR)/node_modules/.bin:$(PATH)
MAKEFLAGS += --no-print-directory

.DEFAULT_GOAL := help
.PHONY: help setup setup-helm setup-node setup-control-plane demo dev check test unit e2e generate esa image report soak mutants moving fuzz bench

# demo and dev on a cluster of your own. Only the command line names one: a CONTEXT of the environment is there
# for other reasons.
ifeq ($(origin CONTEXT),command line)
  GROUND_PIECES := node-modules openbao aws kubectl
  GROUND_FLAGS := --context '$(CONTEXT)' $(if $(WEBHOOK_HOST),--webhook-host '$(WEBHOOK_HOST)') $(if $(filter 1,$(YES)),--yes)
else ifneq ($(CONTEXT),)
  GROUND_NOTE = @echo 'CONTEXT of the environment is not used; to use that cluster: make $@ CONTEXT=NAME'
endif

help: ## Show this list.
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / { printf "  make %-19s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: ## Install all that the other targets need (once; the control plane builds for about 7 minutes).
	@node tools/setup.mjs

setup-node:
	@node tools/setup.mjs node-modules

setup-helm: setup-node ## Install helm, for work on charts.
	@node tools/setup.mjs helm

setup-control-plane: setup-node ## Build the control plane with its controllers, also where another one is there.
	@node tools/setup.mjs built-control-plane

demo: ## Show the whole product on a real control plane, then stay up; ONCE=1 ends after the tour.
	$(GROUND_NOTE)
	@node tools/setup.mjs --tolerant $(GROUND_PIECES)
	@node tools/demo.ts $(if $(filter 1,$(ONCE)),--once) $(GROUND_FLAGS)

dev: ## The same without the tour, until Ctrl-C; see .dev/env. WATCH=1 follows changes of the sources.
	$(GROUND_NOTE)
	@node tools/setup.mjs --tolerant $(GROUND_PIECES)
	@node tools/dev.ts $(if $(filter 1,$(WATCH)),--watch) $(GROUND_FLAGS)

check: setup-node setup-helm ## Format, lint, types, dead code, import directions, generated files.
	@node tools/test.ts check

test: setup ## Set-up, check, unit tests, end-to-end tests; the last line counts them.
	@node tools/test.ts

unit: setup-node setup-helm ## Only the tests beside the code.
	@node tools/test.ts unit

e2e: setup ## Only the end-to-end tests.
	@node tools/test.ts e2e

generate: setup-node setup-helm ## Write the generated files anew: CRDs, manifests, pages of docs/, deploy/monitoring.
	@node deploy/generate.ts
	@node tools/generate-docs.ts

report: setup-node ## Dead code, dependencies with their reasons and weights, licences.
	@node tools/dependencies/report.ts

image: setup-node ## Build the container image for amd64 and arm64 into .cache/image, without a container engine.
	@node tools/image.ts

esa: setup-node ## Make the package of the command line, dist/npm/*.tgz: one file, for npx and as a plugin of kubectl.
	@node tools/package.ts

soak: setup ## SOAK=admission (10 MINUTES): restarts, rotations, pauses under load; SOAK=crash (20): programs killed at random; SOAK=steady (60): 573 x 5 keys while nothing changes.
	@node tools/bundle.ts .cache/programs
	@ESA_PROGRAMS=$(CURDIR)/.cache/programs node test/soak/run.ts --soak $(or $(SOAK),admission) $(if $(MINUTES),--minutes $(MINUTES))

mutants: setup-node ## Each validation rule is switched off in turn, and its table of cases has to notice.
	@node --import ./test/mutants/hooks.ts test/mutants/run.ts

moving: setup ## docs/migrating.md with External Secrets Operator itself, which is built first (4 minutes, once); RECORD=1 records anew what it leaves.
	@node tools/setup.mjs eso
	@node tools/bundle.ts .cache/programs
	@ESA_PROGRAMS=$(CURDIR)/.cache/programs RECORD=$(RECORD) node --test test/moving/run.ts

fuzz: $(if $(filter reviews,$(FUZZ)),setup,setup-node) ## Random input for MINUTES (10) from SEED; what fails becomes a case; FUZZ=template|gjson|reviews.
ifeq ($(FUZZ),gjson)
	@node test/fuzz/gjson.ts --seed $(or $(SEED),1) --cases $(or $(CASES),200000)
else ifeq ($(FUZZ),reviews)
	@node test/fuzz/reviews.ts --minutes $(or $(MINUTES),20) --seed $(or $(SEED),1)
else
	@node test/fuzz/template.ts --minutes $(or $(MINUTES),10) --seed $(or $(SEED),1) --without fromYaml
endif

bench: setup ## Benchmarks, one JSON line a scenario with its baseline; BENCH=create|burst|sweep|rotation|outage|scale|shards|hanging|template|pipeline|webhook|bill|vault-client|image.
	@node tools/bundle.ts .cache/programs
	@ESA_PROGRAMS=$(CURDIR)/.cache/programs node bench/$(or $(BENCH),create).ts
