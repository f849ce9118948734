"""The JSON schema of `config.yaml`, so that editors complete its keys and explain them."""

import ast
import inspect
from typing import Any

import msgspec

from fer_edge.config import model as config


def settings_schema() -> dict[str, Any]:
    """JSON Schema (2020-12) of the settings; each key's description is its docstring in `config.py`."""
    schema = msgspec.json.schema(config.Settings)
    for section, fields in _docstrings().items():
        properties = schema["$defs"].get(section, {}).get("properties", {})
        for name, text in fields.items():
            properties[name]["description"] = text
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": "fer-edge settings", **schema}


def _docstrings() -> dict[str, dict[str, str]]:
    """{class: {field: the string that follows it}}; Python keeps no such docstring, its source does."""
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
