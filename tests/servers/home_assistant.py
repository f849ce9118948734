"""A real Home Assistant core with its MQTT integration, driven by JSON lines; for tests/system.

    python home_assistant.py BROKER_PORT < orders > answers

Runs in any Python that has `homeassistant` and `paho-mqtt` installed, not in ours. An order is `["states"]`,
`["call", domain, service, data]`, `["automations", [...]]`, `["listen", domain, service]` (a service that only tells
when it is called), `["set", entity, state]` or `["restart"]` (the MQTT entry is reloaded: birth and all). Each is
answered by one line.
"""

import asyncio
import json
import socket
import sys
import tempfile
from pathlib import Path
from types import MappingProxyType
from typing import Any

from homeassistant import auth, bootstrap, config_entries, core, loader
from homeassistant.components.mqtt.config_flow import CONFIG_ENTRY_MINOR_VERSION, CONFIG_ENTRY_VERSION
from homeassistant.components.mqtt.const import DOMAIN
from homeassistant.helpers import device_registry
from homeassistant.setup import async_setup_component


async def started(port: int, folder: str) -> core.HomeAssistant:
    """Home Assistant with MQTT connected to the broker on loopback."""
    hass = core.HomeAssistant(folder)
    hass.config.skip_pip = True
    loader.async_setup(hass)
    hass.config_entries = config_entries.ConfigEntries(hass, {})
    await bootstrap.async_load_base_functionality(hass)
    hass.auth = await auth.auth_manager_from_config(hass, [{"type": "homeassistant"}], [])
    assert await async_setup_component(hass, "homeassistant", {})
    http = {"server_host": ["127.0.0.1"], "server_port": free_port()}
    assert await async_setup_component(hass, "http", {"http": http})
    await hass.async_start()
    entry = config_entries.ConfigEntry(
        data={"broker": "127.0.0.1", "port": port, "protocol": "5"},
        options={"discovery": True},
        discovery_keys=MappingProxyType({}),
        subentries_data=None,
        domain=DOMAIN,
        title="broker",
        source="user",
        unique_id=None,
        version=CONFIG_ENTRY_VERSION,
        minor_version=CONFIG_ENTRY_MINOR_VERSION,
    )
    await hass.config_entries.async_add(entry)
    assert entry.state is config_entries.ConfigEntryState.LOADED, entry.state
    return hass


def free_port() -> int:
    """A free port for the web page, which the MQTT integration requires."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def states(hass: core.HomeAssistant) -> dict[str, Any]:
    """Every entity with its state and attributes, and the devices by name."""
    devices = device_registry.async_get(hass).devices.values()
    return {
        "states": {one.entity_id: [one.state, dict(one.attributes)] for one in hass.states.async_all()},
        "devices": [one.name for one in devices],
    }


async def obey(hass: core.HomeAssistant, calls: list[Any], order: list[Any]) -> Any:
    """Execute one order and return its answer."""
    match order:
        case ["states"]:
            return {**states(hass), "calls": calls}
        case ["call", domain, service, data]:
            await hass.services.async_call(domain, service, data, blocking=True)
        case ["listen", domain, service]:
            hass.services.async_register(domain, service, lambda call: calls.append([domain, service, dict(call.data)]))
        case ["automations", automations]:
            assert await async_setup_component(hass, "automation", {"automation": automations})
            await hass.async_block_till_done()
        case ["set", entity, state]:
            hass.states.async_set(entity, state)
            await hass.async_block_till_done()
        case ["restart"]:
            (entry,) = hass.config_entries.async_entries(DOMAIN)
            assert await hass.config_entries.async_reload(entry.entry_id)
        case _:
            raise ValueError(order)
    return "done"


def answer_line(answer: Any) -> None:
    """Print one line of JSON."""
    sys.stdout.write(json.dumps(answer, default=str) + "\n")
    sys.stdout.flush()


async def serve(port: int, folder: str) -> None:
    hass, calls = await started(port, folder), []
    answer_line("ready")
    while line := await asyncio.to_thread(sys.stdin.readline):
        answer_line(await obey(hass, calls, json.loads(line)))
    await hass.async_stop(force=True)


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as config:
        Path(config, "configuration.yaml").touch()
        asyncio.run(serve(int(sys.argv[1]), config))
