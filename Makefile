# make test     all checks and tests; installs what they need (Debian)
# make build    bin/runnel, its version from the repository's tags
# make run      the hub in demo mode, on http://127.0.0.1:8080
# make fuzz     every fuzz target for FUZZTIME (30s)
# make cover    coverage by function, and bin/cover.html
# make bench    all scenarios of the load generator, small, beside its ceiling and nginx

SHELL := /bin/bash
.SHELLFLAGS := -o pipefail -c
.DEFAULT_GOAL := build

STATICCHECK := v0.8.2
FUZZTIME    ?= 30s
TOOLS       := $(CURDIR)/.tools
BEGIN       := $(shell date +%s)

# For all steps, and what they run: the program that one compiled the others find.
export GOFLAGS += -trimpath

# package:what it brings. The compiler is for the race detector.
PACKAGES := redis-server:redis-server chromium:chromium firefox-esr:firefox-esr \
	nginx:nginx haproxy:haproxy curl:curl iproute2:ip netcat-openbsd:nc ca-certificates:/etc/ssl/certs \
	gcc:gcc libc6-dev:/usr/include/stdlib.h nodejs:node node-typescript:tsc

# $(call step,name,command) runs the command with its name before it and its time after it.
define step
@printf -- '--- %s\n' '$(1)'; begin=$$SECONDS; ($(2)); code=$$?; \
[ $$code -eq 0 ] && said=ok || said="FAILED (exit $$code)"; \
printf -- '--- %s: %s, %ds\n' '$(1)' "$$said" $$((SECONDS - begin)); exit $$code
endef

.PHONY: test packages tools check script race build run fuzz cover bench clean

test: packages tools check script race
	@echo "--- all: ok, $$(($$(date +%s) - $(BEGIN)))s"

packages:
	$(call step,packages,.ci/packages $(PACKAGES))

# Installing a version that is installed costs a second, and follows an update of Go.
tools:
	$(call step,staticcheck $(STATICCHECK),GOBIN=$(TOOLS) go install honnef.co/go/tools/cmd/staticcheck@$(STATICCHECK))

check: tools
	$(call step,gofmt,files=$$(gofmt -l .) && if [ -n "$$files" ]; then echo "not formatted:"; echo "$$files"; exit 1; fi)
	$(call step,go mod tidy,go mod tidy -diff)
	$(call step,go vet,go vet ./...)
	$(call step,staticcheck,$(TOOLS)/staticcheck ./...)

script: packages
	$(call step,node --test,node --test --test-reporter=spec web/test/*.test.mjs)
	$(call step,tsc --strict,tsc -p web/test)

# What go test would vet again check has vetted, with more.
race: packages check
	$(call step,the program with -race,go build -race -o bin/race/runnel .)
	$(call step,go test -race,HUBTEST_PROGRAM=$(CURDIR)/bin/race/runnel go test -race -vet=off -timeout 9m ./...)

build:
	go build -buildvcs=auto -o bin/runnel .

run: build
	bin/runnel

fuzz:
	@packages=$$(go list ./...) || exit 1; \
	for package in $$packages; do \
		targets=$$(go test -list '^Fuzz' $$package) || { echo "$$targets"; exit 1; }; \
		for target in $$(grep '^Fuzz' <<<"$$targets"); do \
			echo "--- $$package $$target, $(FUZZTIME)"; \
			go test -run '^$$' -fuzz "^$$target$$" -fuzztime $(FUZZTIME) $$package || exit 1; \
		done; \
	done

cover: packages
	mkdir -p bin
	go test -coverpkg=./... -coverprofile=bin/cover.out ./...
	go tool cover -func=bin/cover.out
	go tool cover -html=bin/cover.out -o bin/cover.html

# nginx with nchan is measured beside the hub.
bench: build
	$(call step,packages,.ci/packages redis-server:redis-server nginx-light:nginx libnginx-mod-nchan:/usr/lib/nginx/modules/ngx_nchan_module.so)
	go run ./bench short --runnel bin/runnel

clean:
	rm -rf bin

# The steps print their time one after the other, and share the cores as it is.
.NOTPARALLEL:
