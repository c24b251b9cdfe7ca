# vae.h: nothing to install beyond a C compiler and make.
#   make            the vae command, in build/
#   make demo       train on the built-in digits (DATA=folder: on MNIST or another IDX set)
#   make test       the short suite, a minute at most; DATA=folder adds the tests on MNIST
#   make test-long  the rest: all floats, 2^32 normals, kills, a full training run with DATA
#   make bench      speed against naive loops
#   make bench-step    training steps and decoding; with DATA=folder on those pixels
#   make bench-torch   the same beside PyTorch, where /usr/bin/python3 has it
#   make bench-growth  cost as batch, network and data grow, with plots
#   make clean

CC ?= cc
CFLAGS ?= -O2
OUT ?= out
DATA ?=
PYTHON ?= /usr/bin/python3
TOOL_HEADERS = vae.h tools/digits.h tools/picture.h tools/npy.h
TESTS = $(wildcard tests/*.c tests/*.h)

all: build/vae

build/vae: tools/vae.c $(TOOL_HEADERS)
	@mkdir -p build
	$(CC) $(CFLAGS) tools/vae.c -o $@

build/tests: $(TESTS) $(TOOL_HEADERS)
	@mkdir -p build
	$(CC) $(CFLAGS) tests/run.c -o $@ -lm

demo: build/vae
	CC="$(CC)" DATA="$(DATA)" OUT="$(OUT)" sh tools/demo.sh

test: build/vae build/tests
	DATA="$(DATA)" sh tests/run.sh build/tests build/vae

test-long: build/vae build/tests
	DATA="$(DATA)" sh tests/run.sh build/tests build/vae --long

bench: build/bench
	build/bench

build/bench: bench/bench.c bench/naive.c bench/naive.h $(TOOL_HEADERS)
	@mkdir -p build
	$(CC) -O3 -march=native -c bench/naive.c -o build/naive.o
	$(CC) $(CFLAGS) -DBENCH_FLAGS='"$(CFLAGS)"' bench/bench.c build/naive.o -o $@ -lm

build/train_step: bench/train_step.c bench/race.h bench/work.h $(TOOL_HEADERS)
	@mkdir -p build
	$(CC) $(CFLAGS) -DBENCH_FLAGS='"$(CFLAGS)"' bench/train_step.c -o $@ -lpthread

build/growth: bench/growth.c bench/plot.h bench/race.h bench/work.h $(TOOL_HEADERS)
	@mkdir -p build
	$(CC) $(CFLAGS) -DBENCH_FLAGS='"$(CFLAGS)"' bench/growth.c -o $@ -lm -lpthread

bench-step: build/train_step
	@mkdir -p bench/results
	build/train_step --data "$(DATA)" --text bench/results/step.txt --json bench/results/step.json

bench-torch: build/train_step
	@mkdir -p bench/results
	$(PYTHON) bench/torch_compare.py --data "$(DATA)" --text bench/results/torch.txt \
	    --json bench/results/torch.json

bench-growth: build/growth
	@mkdir -p bench/results
	build/growth --text bench/results/growth.txt --json bench/results/growth.json \
	    --pictures bench/results/growth

clean:
	rm -rf build out

.PHONY: all demo test test-long bench bench-step bench-torch bench-growth clean
