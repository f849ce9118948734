"""What another config.yaml changes in a running daemon: what it takes over, what has to wait for a restart. Pure."""

from typing import Any

import msgspec

from fer_edge.config.model import Settings

# Dotted keys, or sections as a whole, that SIGHUP takes over; the rest is built once. config.yaml marks the same ones.
RELOADABLE = ("log_level", "gates", "decide", "publish")


def changed_keys(old: Settings, new: Settings) -> list[str]:
    """The dotted keys whose values differ, in the order of config.yaml."""
    return [key for key, value in _flat(new).items() if _flat(old)[key] != value]


def needs_restart(keys: list[str]) -> list[str]:
    """Those of ``keys`` that a running daemon cannot take over."""
    return [key for key in keys if key.partition(".")[0] not in RELOADABLE]


def merged(old: Settings, new: Settings) -> Settings:
    """``old`` with all of ``new`` that can be taken over."""
    return msgspec.structs.replace(old, **{key: getattr(new, key) for key in RELOADABLE})


def _flat(settings: Settings) -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for name, value in msgspec.to_builtins(settings).items():
        if isinstance(value, dict):
            flat |= {f"{name}.{key}": one for key, one in value.items()}
        else:
            flat[name] = value
    return flat
