"""A real mosquitto, a subscriber, and daemons that do not outlive their test."""

import os
import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from fer_edge.demo.broker import Broker, loopback_broker
from tests.system.harness import Daemon, Subscriber


@pytest.fixture
def broker() -> Iterator[Broker]:
    if not shutil.which("mosquitto", path=os.environ["PATH"] + ":/usr/sbin"):
        word = "mosquitto is not installed: apt install mosquitto"
        if os.environ.get("CI") == "true":
            pytest.fail(word)
        pytest.skip(word)
    with loopback_broker() as running:
        assert running.name == "mosquitto"
        yield running


@pytest.fixture
def subscriber(broker: Broker) -> Iterator[Subscriber]:
    one = Subscriber(broker.port)
    yield one
    one.close()


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., Daemon]]:
    """Gives `start(settings, by)`; what it started is killed at the end of the test."""
    with ExitStack() as stack:

        def start_one(settings: dict[str, Any], by: Sequence[str] = ()) -> Daemon:
            daemon = Daemon(tmp_path, settings, by)
            stack.callback(daemon.process.wait)
            stack.callback(daemon.process.kill)
            return daemon

        yield start_one
