# SPDX-License-Identifier: Apache-2.0
#
# Thin doors to CMake presets and ctest. Every target first installs what it needs and this machine
# lacks (.ci/packages, by apt), and says so before it does.
#
#   make             release build: build/bin/{fedwayd,fedway-gateway,fedway-probe,fedway}
#   make demo        three clusters on this machine, told step by step
#   make test        unit tests under ASan and UBSan
#   make test-real   with real kube-apiserver, etcd, istiod, Envoy, kubectl (as root)
#   make bench       side by side with haproxy, nginx, Envoy
#   make fuzz        every fuzzer for a minute, or FUZZ_SECONDS
#   make soak        an hour of calls, reloads and upgrades of a gateway
#   make install     PREFIX=/usr/local, DESTDIR
#   make format      clang-format-14 on every tracked C file
#   make clean       removes build/ but for the real components in build/parts

PREFIX ?= /usr/local

all: build

build:
	@.ci/setup build
	@[ -f build/build.ninja ] || cmake --preset release
	@cmake --build --preset release

demo: build
	@.ci/setup run
	@e2e/demo/run

test:
	@.ci/setup build run test
	@[ -f build/dev/build.ninja ] || cmake --preset dev
	@cmake --build --preset dev
	@ctest --preset dev

test-real: build
	@.ci/setup run test real
	@.ci/parts
	@ctest --test-dir build -L 'e2e|real' --no-tests=error --output-on-failure

bench: build
	@.ci/setup run test real
	bench/run

fuzz:
	@.ci/setup build test
	@.ci/fuzz

soak: build
	@.ci/setup run test real
	@.ci/parts python
	@SOAK_SECONDS=$${SOAK_SECONDS:-3600} e2e/run gateway/test_soak.py -s

install: build
	@cmake --install build --prefix $(PREFIX)

format:
	@.ci/setup test
	@git ls-files -z '*.c' '*.h' | xargs -0 clang-format-14 -i

clean:
	@find build -mindepth 1 -maxdepth 1 ! -name parts -exec rm -rf {} + 2>/dev/null || true

.PHONY: all build demo test test-real bench fuzz soak install format clean
