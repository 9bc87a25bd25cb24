# Targets of benthos-oci. Everything here needs Go, git and make, and no network but the Go module proxy.
# See https://tech.davis-hansson.com/p/make for the settings.
SHELL := bash
.SHELLFLAGS := -eu -o pipefail -c
.DELETE_ON_ERROR:
.SUFFIXES:
.DEFAULT_GOAL := help
MAKEFLAGS += --warn-undefined-variables --no-builtin-rules --no-print-directory

GO ?= go
BIN := .bin
PROGRAM := ./benthos-oci
FUZZTIME ?= 30s
BENCH ?= .
# Arguments of `make bench-pipeline`, as in tests/bench/README.md.
BENCHARGS ?= -program
# Build tags: `make build TAGS=elasticsearch` adds the output elasticsearch_v8, and 30 MB.
TAGS ?=
# Arguments of `make run`: make run ARGS="--seed 7".
ARGS ?=

# What --version says: the newest tag and what lies behind it, or the commit; `devel` outside a checkout.
VERSION ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo devel)
STAMP := -X benthos-oci/plugins/all.stamped=$(VERSION)

GOLANGCI_LINT_VERSION := v2.12.2
GOLANGCI_LINT := $(BIN)/golangci-lint-$(GOLANGCI_LINT_VERSION)

.PHONY: help
help: ## Say what each target does
	@awk -F ': .*## ' '/^[a-z-]+:.*## / {printf "  %-16s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.PHONY: build
build: ## Build ./benthos-oci (the first build takes a few minutes)
	$(GO) build -tags '$(TAGS)' -ldflags '$(STAMP)' -o $(PROGRAM) ./cmd/benthos-oci

.PHONY: release
release: ## Build ./benthos-oci without symbols, and fail where it is not under 70 MB
	$(GO) build -tags '$(TAGS)' -ldflags '-s -w $(STAMP)' -o $(PROGRAM) ./cmd/benthos-oci
	@bytes=$$(wc -c <$(PROGRAM)); echo "$(PROGRAM): $$((bytes / 1000000)) MB"; \
	if [ -z '$(TAGS)' ] && [ "$$bytes" -ge 70000000 ]; then \
		echo "want less than 70 MB: look for a dependency that brings a large one along" >&2; exit 1; \
	fi

.PHONY: run
run: build ## See it work: a simulated day of a tenancy becomes incidents
	$(PROGRAM) demo $(ARGS)

.PHONY: fmt
fmt: $(GOLANGCI_LINT) ## Format the Go code
	$(GOLANGCI_LINT) fmt

.PHONY: lint
lint: $(GOLANGCI_LINT) ## Check the Go code (the first run installs golangci-lint, a few minutes)
	$(GO) vet ./...
	$(GO) vet -tags elasticsearch ./plugins/all
	$(GOLANGCI_LINT) fmt --diff
	$(GOLANGCI_LINT) run

.PHONY: test
test: ## Run all tests
	$(GO) test -shuffle=on -timeout 30m ./...

.PHONY: race
race: ## Run all tests but whole pipelines, which wait in real time, with the race detector
	$(GO) test -race -shuffle=on -timeout 45m $$($(GO) list ./... | grep -v /tests/e2e)

.PHONY: mutation
mutation: ## Break the engine in each known way and see that its tests fail
	MUTATIONS=all $(GO) test -count=1 -v -timeout 30m ./tests/mutation

.PHONY: fuzz
fuzz: ## Fuzz each reader of outside bytes for FUZZTIME (30s)
	@for file in $$(git ls-files '*_test.go'); do \
		for target in $$(sed -n 's/^func \(Fuzz[A-Za-z0-9_]*\)(.*/\1/p' "$$file"); do \
			echo "== $$(dirname "$$file") $$target"; \
			$(GO) test -run '^$$' -fuzz "^$$target\$$" -fuzztime $(FUZZTIME) -fuzzminimizetime 10x "./$$(dirname "$$file")"; \
		done; \
	done

.PHONY: soak
soak: ## Run the full forms of the fault tests and write down what they measure (about 45 minutes, 4 GiB of memory)
	FAULT_FIGURES=$(CURDIR)/tests/faults/figures.json BOLT_FLIPS=all BOLT_KILLS=1000 \
		$(GO) test -count=1 -v -timeout 60m -run 'FlippedBit|TornFile|KillInAWrite' ./plugins/bolt
	FAULT_FIGURES=$(CURDIR)/tests/faults/figures.json E2E_EVENTS=1000000 E2E_KILLS=100 E2E_COMPARTMENTS=50 E2E_USERS=5000 E2E_BUSY=0 \
		$(GO) test -count=1 -v -timeout 120m -run 'Kills' ./tests/e2e
	FAULT_FIGURES=$(CURDIR)/tests/faults/figures.json E2E_OUTAGE=600 E2E_OUTAGE_EVENTS=200000 E2E_STORM=60 \
		$(GO) test -count=1 -v -timeout 120m -run 'EveryInput|Storm|OutputThatIsDown|HugeBodies|StopUnderLoad|DiskThatIsFull|BackfillIsKilled' ./tests/e2e
	$(GO) run ./tests/faults/faultdoc

.PHONY: bench
bench: ## Run the benchmarks that match BENCH (all)
	$(GO) test -run '^$$' -bench '$(BENCH)' -benchmem ./plugins/...

.PHONY: bench-pipeline
bench-pipeline: ## Measure whole pipelines, and judge what is claimed of their speed; BENCHARGS="-events 100000" for less
	$(GO) run ./tests/bench $(BENCHARGS)

.PHONY: golden
golden: ## Rewrite expected outputs; read each changed line before committing it
	@for dir in $$(git grep -l 'Getenv("UPDATE")' -- '*_test.go' | xargs -n 1 dirname | sort -u); do \
		UPDATE=1 $(GO) test "./$$dir"; \
	done
	@for dir in $$(git grep -l cockroachdb/datadriven -- '*_test.go' | xargs -n 1 dirname | sort -u); do \
		$(GO) test "./$$dir" -rewrite; \
	done

.PHONY: generate
generate: ## Write the generated parts of the documents and schemas
	$(GO) run ./plugins/all/docgen
	$(GO) run ./tests/faults/faultdoc

.PHONY: check-generated
check-generated: ## Fail where a generated part is stale, or go.mod is not tidy
	$(GO) run ./plugins/all/docgen -check
	$(GO) run ./tests/faults/faultdoc -check
	$(GO) mod tidy -diff

.PHONY: rules
rules: build ## Lint and test the shipped rules
	$(PROGRAM) rules lint rules
	$(PROGRAM) rules test rules

.PHONY: configs
configs: build ## Lint every YAML file of the checkout and test the shipped configs
	$(PROGRAM) lint ./...
	$(PROGRAM) test ./config/...

.PHONY: check
check: lint check-generated rules configs release mutation race ## Everything that CI checks besides `make test`

.PHONY: vuln
vuln: ## Look for known vulnerabilities (needs the network)
	$(GO) run golang.org/x/vuln/cmd/govulncheck@v1.1.4 ./...

.PHONY: clean
clean: ## Remove what the targets made
	rm -rf $(PROGRAM) $(BIN) out

$(GOLANGCI_LINT):
	@mkdir -p $(BIN)
	GOBIN=$(abspath $(BIN)) $(GO) install github.com/golangci/golangci-lint/v2/cmd/golangci-lint@$(GOLANGCI_LINT_VERSION)
	@mv $(BIN)/golangci-lint $@
