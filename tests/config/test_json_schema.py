import msgspec

from fer_edge.config.json_schema import settings_schema
from fer_edge.config.model import Settings


def test_every_key_is_explained_to_the_editor() -> None:
    definitions = settings_schema()["$defs"]
    for section in definitions.values():
        for name, value in section["properties"].items():
            assert "$ref" in value or value.get("description"), f"{section['title']}.{name} has no docstring"


def test_schema_names_ranges_and_defaults() -> None:
    decide = settings_schema()["$defs"]["DecideSettings"]
    assert decide["additionalProperties"] is False
    assert (decide["properties"]["enter"]["minimum"], decide["properties"]["enter"]["maximum"]) == (0.0, 1.0)
    assert decide["properties"]["enter"]["default"] == msgspec.to_builtins(Settings())["decide"]["enter"]
