# What CI runs is `make test`. Everything else is a
# part of it, or a longer run of its own.

GO      ?= go
TOOLS   := $(GO) tool -modfile=tools/go.mod
# The toolchain's number of parallel packages; browsers and compilers share the cores.
PARALLEL ?= 2

.PHONY: test check setup setup-node setup-browser setup-bench generate generated vet types quick race unraced browser e2e faults bench build clean

## test: everything CI runs, with all set-up it needs on a fresh Debian machine
test: setup vet types generated race unraced browser e2e

## check: the quick part, under three minutes
check: vet types generated quick

## build: the binary, into bin/
build:
	CGO_ENABLED=0 $(GO) build -trimpath -o bin/tagmill ./cmd/tagmill

setup: setup-node setup-browser

# npm ci only when the lock file is newer than what it installed.
setup-node: node_modules/.package-lock.json
node_modules/.package-lock.json: package-lock.json
	npm ci --no-audit --no-fund
	@touch $@

setup-browser:
	@tools/install chromium:chromium

setup-bench:
	@tools/install nginx:nginx-light wrk:wrk

vet:
	@out=$$(gofmt -l $$(git ls-files '*.go')); test -z "$$out" || { echo "gofmt -w $$out"; exit 1; }
	$(GO) vet ./...
	$(TOOLS) staticcheck ./...

types: setup-node
	npx tsc -p tsconfig.json

## generate: rewrite generated files
generate:
	$(GO) generate ./...

# Generated files must be what the sources give.
generated:
	$(GO) generate ./...
	@git diff --exit-code --stat || { echo "generated files are stale: run make generate and commit"; exit 1; }

# All but the fault runs, which start and kill the real binary.
quick:
	$(GO) test -p $(PARALLEL) $$($(GO) list ./... | grep -v /e2e/faults)

race:
	$(GO) test -race -p $(PARALLEL) -timeout 20m ./...

# Allocation tests mean nothing under the race detector: the packages that
# have some run once more without it.
unraced:
	$(GO) test $$(git grep -l '^//go:build !race' -- '*_test.go' | xargs -n1 dirname | sort -u | sed 's|^|./|')

## browser: the runtime, the integrations and the whole product in Chromium
browser: setup-node setup-browser
	node --test --test-concurrency=2 runtime-js/test/*.test.mjs integrations-js/test/*.test.mjs admin/console/test/*.test.mjs

e2e: setup-node setup-browser build
	node --test --test-concurrency=1 e2e/test/*.test.mjs

## faults: the long fault runs: 500 kill -9 under load, the disk filled to the last byte
faults: build
	$(GO) test -count=1 -timeout 90m ./e2e/faults -args -long -tagmill $(CURDIR)/bin/tagmill

## bench: each benchmark against its peer, in the same run
bench: setup-bench build
	$(GO) run ./bench

clean:
	rm -rf bin node_modules
