"""JSON schema of `config.yaml`, for completion and help in editors."""

import ast
import inspect
from typing import Any

import msgspec

from fer_edge.config import model as config


def settings_schema() -> dict[str, Any]:
    """Return the JSON Schema (2020-12) of the settings; descriptions are the docstrings in `model.py`."""
    schema = msgspec.json.schema(config.Settings)
    for section, fields in _docstrings().items():
        properties = schema["$defs"].get(section, {}).get("properties", {})
        for name, text in fields.items():
            properties[name]["description"] = text
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": "fer-edge settings", **schema}


def _docstrings() -> dict[str, dict[str, str]]:
    """Return {class: {field: docstring}} from the source; Python keeps no docstrings of fields."""
    found: dict[str, dict[str, str]] = {}
    for section in ast.parse(inspect.getsource(config)).body:
        if not isinstance(section, ast.ClassDef):
            continue
        for field, after in zip(section.body, section.body[1:], strict=False):
            if isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name):
                match after:
                    case ast.Expr(value=ast.Constant(value=str(text))):
                        found.setdefault(section.name, {})[field.target.id] = text
    return found
