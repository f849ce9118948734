# make run     the main job, shown: no camera and no broker needed
# make check   the developer's loop: lint, types, fast tests
# make test    everything: real broker, cameras over the network, Debian systems that are booted, the converter
# make test-system   what is too slow for it: whole machines in QEMU, x86-64 and 64-bit Arm
# make fuzz    damaged inputs through every entrance for FUZZ_S seconds; FUZZ_SEED=n repeats a run, FUZZ_CASE=name:n a case
# make deb     Debian packages of this checkout, for bookworm and trixie on amd64 and arm64, into out/
#
# Each sets up what it needs in .venv (the edge, no TensorFlow) and .venv-converter (the converter), and nowhere else.

PYTHON ?= python3
PIP_QUIET = --quiet --disable-pip-version-check --no-input

# Debian packages that only the tests need: a broker, certificates, an RTSP camera, and what boots a Debian in a folder.
TEST_PACKAGES = chromium chromium-driver iproute2 mosquitto openssl python3-gi gir1.2-gst-rtsp-server-1.0 gstreamer1.0-plugins-base \
	gstreamer1.0-plugins-good gstreamer1.0-plugins-bad gstreamer1.0-plugins-ugly debootstrap systemd-container
# What emulates a machine, and its programs where a disk is made for it.
EMULATION_PACKAGES = debootstrap systemd-container e2fsprogs ipxe-qemu qemu-system-arm qemu-system-x86 qemu-user-static seabios

FUZZ_S ?= 600

.PHONY: run check test test-system fuzz deb lint clean packages
.DELETE_ON_ERROR:

run: .venv/demo.stamp
	@.venv/bin/fer-edge demo

check: .venv/test.stamp .venv-converter/test.stamp lint
	.venv/bin/pytest -q -m "not system and not slow" --ignore tests/converter
	.venv-converter/bin/pytest -q -m "not slow" tests/converter

test: packages .venv/test.stamp .venv-converter/test.stamp lint
	.venv/bin/pytest -m "not emulated" --ignore tests/converter
	.venv-converter/bin/pytest tests/converter

test-system: .venv/test.stamp
	@tools/need.sh $(EMULATION_PACKAGES)
	.venv/bin/pytest -m emulated tests/system

fuzz: .venv/test.stamp
	.venv/bin/python -m tests.fuzz --seconds $(FUZZ_S) $(FUZZ_SEED:%=--seed %) $(FUZZ_CASE:%=--case %)

deb: .venv/bin/python
	@for suite in bookworm trixie; do for arch in amd64 arm64; do \
		tools/make_deb.sh .venv/bin/python $$suite $$arch out || exit 1; done; done

lint: .venv/test.stamp .venv-converter/test.stamp
	.venv/bin/ruff check .
	.venv/bin/ruff format --check .
	.venv/bin/mypy -p fer_edge
	.venv/bin/mypy benchmarks
	.venv-converter/bin/mypy -p converter

packages:
	@tools/need.sh $(TEST_PACKAGES)

# Order-only: an environment that is there stays. Its python is a link to the system's, which is older than any checkout.
.venv/bin/python .venv-converter/bin/python: | tools/make_venv.sh
	@tools/make_venv.sh $(PYTHON) $(@D)/..

.venv/demo.stamp: setup.cfg | .venv/bin/python
	@echo "Installing fer-edge and its demo into .venv (about 500 MB, once) ..."
	@.venv/bin/pip install $(PIP_QUIET) --editable '.[demo]'
	@touch $@

.venv/test.stamp: setup.cfg | .venv/bin/python
	@echo "Installing fer-edge, its demo and its tests into .venv ..."
	@.venv/bin/pip install $(PIP_QUIET) --editable '.[demo,video,preview,test]'
	@touch $@ .venv/demo.stamp

.venv-converter/test.stamp: setup.cfg | .venv-converter/bin/python
	@echo "Installing the converter with TensorFlow into .venv-converter (about 2.5 GB, once) ..."
	@.venv-converter/bin/pip install $(PIP_QUIET) --editable '.[converter,test]'
	@touch $@

clean:
	rm -rf .venv .venv-converter build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache
	@rm -rf .machines 2>/dev/null || echo 'root made .machines for the tests: sudo rm -rf .machines'
