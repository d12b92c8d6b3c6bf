# Everything is built from the Go module proxy and Debian; tools are cached outside the tree, keyed by version.
SHELL := /bin/sh
CACHE := $(or $(OCTO_CACHE),$(or $(XDG_CACHE_HOME),$(HOME)/.cache)/octo-operator)
DEVCLUSTER := $(CACHE)/devcluster
VERSION ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo dev)
UNIT := $(shell go list ./... 2>/dev/null | grep -v /dev/e2e)
# For a package's unit tests: Go's own 10 minutes are too short for the largest on a machine that is ten times slower.
PATIENCE := -timeout 40m

export OCTO_DEVCLUSTER := $(DEVCLUSTER)

.PHONY: help
help: ## show this list
	@grep -hE '^[a-z0-9-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | sort | expand -t 16

.PHONY: build
build: ## build ./octo-operator
	CGO_ENABLED=0 go build -trimpath -ldflags '-s -w -X main.version=$(VERSION)' -o octo-operator .

STAY :=
demo: export OCTO_STAY := $(STAY)
.PHONY: demo
demo: build devcluster ## the main job end to end (STAY=1: then breaks some deploys, for you to look around; KUBECONFIG=FILE: in your own cluster)
	go build -o $(CACHE)/demo ./dev/demo
ifeq ($(origin KUBECONFIG),command line)
	$(DEVCLUSTER) run --kubeconfig $(KUBECONFIG) -- $(CACHE)/demo
else
	$(DEVCLUSTER) run -- $(CACHE)/demo
endif

.PHONY: test
test: vet unit oracle e2e ## everything: unit tests with the race detector and the fuzz targets' corpora, Helm as oracle, end to end
	@echo "all tests passed"

.PHONY: quick
quick: shellcheck ## unit tests without the race detector, the slow ones left to make check and make test: below a minute, no cluster
	go test $(PATIENCE) -short -p 4 $(UNIT)

.PHONY: check
check: busybox ## before a pull request: format, vet, lint and all unit tests without the race detector; below two minutes, no cluster
	@began=$$(date +%s) && $(MAKE) --no-print-directory vet lint && go test $(PATIENCE) -p 4 $(UNIT) && echo "make check took $$(($$(date +%s) - began)) s"

.PHONY: vet
vet:
	@test -z "$$(gofmt -l .)" || { echo "not gofmt-clean:"; gofmt -l .; exit 1; }
	go vet ./...

.PHONY: unit
unit: cc shellcheck busybox
	go test -race $(PATIENCE) $(UNIT)

.PHONY: oracle
oracle: tools ## compare merge/ with Helm's own code
	cd merge/helmoracle && go test $(PATIENCE) ./...
	cd dev/devcluster && go test $(PATIENCE) ./...

FUZZTIME ?= 20s
FUZZ ?= Fuzz
.PHONY: fuzz
fuzz: ## look for new inputs that break a parser: every fuzz target for FUZZTIME (20s), from its kept corpus (FUZZ=FuzzPath: that one)
	@grep -ro --include='*_test.go' '^func Fuzz[A-Za-z0-9]*' . | sort | sed 's/:func / /' | { failed=''; while read -r file target; do \
		case $$target in $(FUZZ)*) .ci/fuzz "$$(dirname "$$file")" "$$target" $(FUZZTIME) </dev/null || failed="$$failed $$target" ;; esac; \
	done; test -z "$$failed" || { echo "failed:$$failed"; exit 1; }; }

.PHONY: tools
tools: devcluster ## find or build helm, kubectl and the control plane (OCTO_BUILD_TOOLS=1 builds all)
	@$(DEVCLUSTER) tools >/dev/null
	@$(DEVCLUSTER) tools helm3 >/dev/null

RUN :=
FLAGS :=
.PHONY: e2e
e2e: cc tools chromium ## the real binary on a real control plane (RUN=TestX: those alone; FLAGS=-update: their golden files anew)
	$(DEVCLUSTER) run -- go test -race -count=1 -timeout 80m -run '$(RUN)' ./dev/e2e $(FLAGS)

SEED ?= 0
KILLS ?= 100
LIMIT ?= 15m
.PHONY: chaos
chaos: cc tools ## kill everything at random for some minutes: nothing lost, nothing stuck (SEED=42 repeats a run)
	$(DEVCLUSTER) run -- go test -race -count=1 -v -timeout 20m -run '^TestNothingIsLost' ./dev/e2e \
		-chaos.kills=$(KILLS) -chaos.seed=$(SEED) -chaos.limit=$(LIMIT)

BENCH ?= .
.PHONY: bench
bench: cc devcluster ## what the operator costs beside commands typed by hand (BENCH=Operator/warm: one row; PICTURE=FILE: where the time goes)
	$(DEVCLUSTER) run -- go test -run '^$$' -bench '$(BENCH)' -benchtime 1x -timeout 60m ./dev/e2e $(if $(PICTURE),-picture '$(abspath $(PICTURE))')
ifeq ($(BENCH),.)
	$(DEVCLUSTER) run -- go test -v -count=1 -run '^TestDeploysDuringWhichTheAPIServerIsAway' ./dev/e2e -outage 60s
endif

GOLANGCI := $(CACHE)/golangci-lint-v2.15.0
ACTIONLINT := $(CACHE)/actionlint-v1.7.12
.PHONY: lint
lint: shellcheck ## golangci-lint, with the rules that say which package may import which, shellcheck and actionlint (some minutes the first time)
	@test -x $(GOLANGCI) || { GOBIN=$(CACHE) go install github.com/golangci/golangci-lint/v2/cmd/golangci-lint@v2.15.0 && mv $(CACHE)/golangci-lint $(GOLANGCI); }
	@for module in . dev/devcluster merge/helmoracle; do echo "golangci-lint in $$module" && (cd $$module && $(GOLANGCI) run ./...) || exit 1; done
	@test -x $(ACTIONLINT) || { GOBIN=$(CACHE) go install github.com/rhysd/actionlint/cmd/actionlint@v1.7.12 && mv $(CACHE)/actionlint $(ACTIONLINT); }
	$(ACTIONLINT)
	shellcheck .ci/install .ci/fuzz .ci/promtool deploy/image deploy/image-check deploy/rootfs

GOVULNCHECK := $(CACHE)/govulncheck-v1.9.0
.PHONY: vulnerabilities
vulnerabilities: ## known vulnerabilities that the operator's code can reach (asks the database of Go)
	@test -x $(GOVULNCHECK) || { GOBIN=$(CACHE) go install golang.org/x/vuln/cmd/govulncheck@v1.9.0 && mv $(CACHE)/govulncheck $(GOVULNCHECK); }
	$(GOVULNCHECK) ./...

.PHONY: image
image: ## build the container image for amd64 and arm64 without a daemon, and look at it (ARCH=amd64: that one alone)
	OCTO_CACHE=$(CACHE) deploy/image $(VERSION) $(ARCH)

.PHONY: devcluster
devcluster:
	@mkdir -p $(CACHE)
	cd dev/devcluster && CGO_ENABLED=0 go build -o $(DEVCLUSTER) .

# What Debian has and a fresh machine may lack. The race detector needs a C compiler.
.PHONY: cc shellcheck busybox chromium
cc:
	@command -v gcc >/dev/null || .ci/install gcc libc6-dev
shellcheck:
	@command -v shellcheck >/dev/null || .ci/install shellcheck
chromium: # the tests of the status page open it; OCTO_CHROMIUM names another one than those on PATH
	@command -v "$${OCTO_CHROMIUM:-chromium}" >/dev/null || command -v chromium-browser >/dev/null || command -v google-chrome >/dev/null || .ci/install chromium
busybox:
	@command -v busybox >/dev/null || .ci/install busybox-static
