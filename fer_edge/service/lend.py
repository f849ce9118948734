"""What systemd gives the service, lent to the other commands that are run with the service's settings."""

import os
from collections.abc import MutableMapping
from pathlib import Path

from fer_edge.service.paths import SETTINGS, STATE


def lend_what_the_service_has(
    path: Path | None, environment: MutableMapping[str, str] = os.environ, settings: Path = SETTINGS
) -> None:
    """Where ``path`` is the service's settings file, its password and its state folder are found as the service does.

    The password lies beside the settings, under the name of its credential. What is set already stays.
    """
    if path is not None and path.resolve().parent == settings.parent:
        environment.setdefault("CREDENTIALS_DIRECTORY", str(settings.parent))
        environment.setdefault("STATE_DIRECTORY", str(STATE))
