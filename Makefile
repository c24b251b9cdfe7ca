# vae.h: nothing to install beyond a C compiler and make.
#   make            the vae command, in build/
#   make demo       train on the built-in digits (DATA=folder: on MNIST or another IDX set)
#   make examples   every numbered program of examples/, with its picture, into out/examples
#   make gallery    the same, and the small pictures of them in examples/pictures/gallery (needs NumPy)
#   make test       the short suite, a minute at most; DATA=folder adds the tests on MNIST
#   make test-long  the rest: all floats, 2^32 normals, kills, a full training run with DATA
#   make faults     each call of the system that library and command make fails in turn
#   make powercut   every disk that a power cut may leave during a save
#   make random     random configurations, each in every way: COUNT=300 SEED=1
#   make fuzz       every fuzz target for TIME=20 seconds (needs clang)
#   make bench      speed against naive loops and the machine, into bench/results
#   make bench BLAS=openblas,dnnl,blis,eigen (or all, or alone) [ISA=avx2] [THREADS=2]
#                   speed against the libraries named, as far as they are installed
#   make bench-step    training steps and decoding; with DATA=folder on those pixels
#   make bench-busy    one thread and two, alone and while somebody else takes a processor
#   make bench-latency  one decode and one encode: median, p99.9 and worst
#   make bench-torch   the same beside PyTorch, JAX and ONNX Runtime, where PYTHON=interpreter has them
#   make bench-growth  cost as batch, network and data grow, with plots
#   make bench-msvc    the portable pass by MSVC's stand-in beside gcc's, under Wine
#   make size          what an include costs: text, data, seconds for every build macro
#   make clean

CC ?= cc
CFLAGS ?= -O2
OUT ?= out
DATA ?=
BLAS ?=
ISA ?=
THREADS ?=
EIGEN ?= /usr/include/eigen3
PYTHON ?= /usr/bin/python3
TIME ?= 20
COUNT ?= 300
SEED ?= 1
TOOL_HEADERS = vae.h $(wildcard tools/*.h)
comma = ,
UNITS = $(patsubst tests/%.c,build/unit/%.o,$(wildcard tests/test_*.c) tests/main.c)

all: build/vae

build/vae: tools/vae.c $(TOOL_HEADERS)
	@mkdir -p build
	$(CC) $(CFLAGS) tools/vae.c -o $@

# The implementation is compiled once; a file of tests sees it without its bodies (private.awk), so
# that an edit of a test, or of a body, compiles one file. Other flags compile all.
build/tests: build/unit/lib.o $(UNITS)
	$(CC) $(CFLAGS) $^ -o $@ -lm
build/unit/lib.o: tests/lib.c tests/test.h vae.h build/unit/flags
	$(CC) $(CFLAGS) -c $< -o $@
$(UNITS): build/unit/%.o: tests/%.c $(wildcard tests/*.h) $(filter-out vae.h,$(TOOL_HEADERS)) \
          build/private.h build/unit/flags
	$(CC) $(CFLAGS) -include build/private.h -c $< -o $@
build/private.h: tests/private.awk vae.h
	@mkdir -p build
	@LC_ALL=C awk -f $^ >$@.new
	@if cmp -s $@.new $@; then rm $@.new; else mv $@.new $@; fi
build/unit/flags: always
	@mkdir -p build/unit
	@echo '$(CC) $(CFLAGS)' >$@.new
	@if cmp -s $@.new $@; then rm $@.new; else mv $@.new $@; fi

demo: build/vae
	CC="$(CC)" DATA="$(DATA)" OUT="$(OUT)" sh tools/demo.sh

examples:
	CC="$(CC)" sh tests/examples.sh
gallery: examples
	$(PYTHON) tools/gallery.py

# decoding and encoding without an allocation, a lock or a call of the system
build/realtime: tests/realtime.c build/unit/lib.o
	$(CC) $(CFLAGS) $^ -o $@ -lm -ldl -lpthread

test: build/vae build/tests build/realtime
	DATA="$(DATA)" sh tests/run.sh build/tests build/vae

test-long: build/vae build/tests build/realtime
	DATA="$(DATA)" sh tests/run.sh build/tests build/vae --long

# faults injected into library and command, and power cuts (tests/README.md)
build/faults build/powercut build/faults_tool: build/%: tests/%.c tests/hooks.h tests/faults_kinds.h vae.h
	@mkdir -p build
	$(CC) -O1 -DVAE_ONLY_PORTABLE $< -o $@ -lpthread
build/faults_shim.so: tests/faults_shim.c tests/faults_kinds.h
	@mkdir -p build
	$(CC) -O1 -shared -fPIC $< -o $@ -ldl
build/vae-portable: tools/vae.c $(TOOL_HEADERS)
	@mkdir -p build
	$(CC) -O1 -DVAE_ONLY_PORTABLE tools/vae.c -o $@
faults: build/faults build/faults_tool build/faults_shim.so build/vae-portable
	sh tests/faults.sh build
powercut: build/powercut
	build/powercut

# COUNT random configurations from SEED on; every fuzz target for TIME seconds
# random-few: as if every image were wide, one at a time, and a stage for every layer
build/random build/random-few: tests/random.c vae.h
	@mkdir -p build
	$(CC) $(CFLAGS) $(if $(filter %-few,$@),-DVAE__WIDE=1 -DVAE__STAGE_FLOATS=1) tests/random.c -o $@ -lpthread
random: build/random build/random-few
	build/random $(COUNT) $(SEED)
	build/random-few $(COUNT) $(SEED)
fuzz:
	sh tests/fuzz.sh $(TIME)

# results are replaced when a run has ended, never by half of one
ifeq ($(BLAS),)
bench: build/bench
	build/bench --text build/bench.txt --json build/bench.json
	@mkdir -p bench/results && mv build/bench.txt build/bench.json bench/results
else
RESULT = blas$(if $(ISA),-$(ISA))$(if $(THREADS),-$(THREADS)-threads)
EIGEN_BUILD = $(if $(filter avx2,$(ISA)),avx2,native)
bench: build/peers $(if $(filter eigen all,$(subst $(comma), ,$(BLAS))),build/eigen-$(EIGEN_BUILD).so)
	build/peers --text build/$(RESULT).txt --json build/$(RESULT).json \
		$(if $(ISA),--isa $(ISA)) $(if $(THREADS),--threads $(THREADS)) $(BLAS)
	@mkdir -p bench/results && if [ -e build/$(RESULT).json ]; then \
		mv build/$(RESULT).txt build/$(RESULT).json bench/results; fi
endif

build/bench: bench/bench.c bench/race.h bench/split_k.h bench/naive.c bench/naive.h $(TOOL_HEADERS)
	@mkdir -p build
	$(CC) -O3 -march=native -c bench/naive.c -o build/naive.o
	$(CC) $(CFLAGS) -DBENCH_FLAGS='"$(CFLAGS)"' bench/bench.c build/naive.o -o $@ -lm

build/peers: bench/peers.c bench/race.h vae.h
	@mkdir -p build
	$(CC) $(CFLAGS) -DBENCH_FLAGS='"$(CFLAGS)"' bench/peers.c -o $@ -lm -ldl -pthread

# without a C++ compiler or the headers there is no file, and peers says so
build/eigen-native.so: bench/eigen.cpp
	@mkdir -p build
	-$(CXX) -O3 -DNDEBUG -march=native -fopenmp -shared -fPIC -I$(EIGEN) $< -o $@
build/eigen-avx2.so: bench/eigen.cpp
	@mkdir -p build
	-$(CXX) -O3 -DNDEBUG -mavx2 -mfma -fopenmp -shared -fPIC -I$(EIGEN) $< -o $@

build/train_step build/busy: build/%: bench/%.c bench/race.h bench/work.h bench/tasks.h $(TOOL_HEADERS)
	@mkdir -p build
	$(CC) $(CFLAGS) -DBENCH_FLAGS='"$(CFLAGS)"' $< -o $@ -lm -lpthread

build/latency: bench/latency.c bench/race.h vae.h
	@mkdir -p build
	$(CC) $(CFLAGS) -DBENCH_FLAGS='"$(CFLAGS)"' $< -o $@ -lm -lpthread

build/growth: bench/growth.c bench/plot.h bench/race.h bench/work.h $(TOOL_HEADERS)
	@mkdir -p build
	$(CC) $(CFLAGS) -DBENCH_FLAGS='"$(CFLAGS)"' bench/growth.c -o $@ -lm -lpthread

bench-step: build/train_step
	@mkdir -p bench/results
	build/train_step --data "$(DATA)" --text bench/results/step.txt --json bench/results/step.json

bench-busy: build/busy
	@mkdir -p bench/results
	build/busy --text bench/results/busy.txt --json bench/results/busy.json

bench-latency: build/latency
	@mkdir -p bench/results
	build/latency --text build/latency.txt && mv build/latency.txt bench/results

bench-torch: build/train_step
	@mkdir -p bench/results
	$(PYTHON) bench/torch_compare.py --data "$(DATA)" --text bench/results/torch.txt \
	    --json bench/results/torch.json

bench-growth: build/growth
	@mkdir -p bench/results
	build/growth --text bench/results/growth.txt --json bench/results/growth.json \
	    --pictures bench/results/growth

bench-msvc:
	@mkdir -p build bench/results
	sh bench/msvc.sh >build/msvc.txt && mv build/msvc.txt bench/results && cat bench/results/msvc.txt

size:
	@mkdir -p build bench/results
	sh bench/size.sh | tee build/size.txt
	@mv build/size.txt bench/results/size.txt

clean:
	rm -rf build out

.PHONY: always all demo examples gallery test test-long faults powercut random fuzz bench bench-step bench-busy bench-latency bench-torch bench-growth bench-msvc size clean
