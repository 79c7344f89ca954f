"""JSON Schema, as much of it as our own schemas use."""

from __future__ import annotations

import re
from typing import Any

TYPES: dict[str, tuple[type, ...]] = {
    "object": (dict,),
    "array": (list,),
    "string": (str,),
    "boolean": (bool,),
    "integer": (int,),
    "number": (int, float),
    "null": (type(None),),
}
_KNOWN = {
    "$ref", "$schema", "$defs", "title", "description", "type", "enum", "const", "oneOf", "properties",
    "required", "additionalProperties", "items", "minimum", "maximum", "pattern",
}  # fmt: skip


def faults(value: Any, schema: dict[str, Any], root: dict[str, Any], at: str = "") -> list[str]:
    """Where a value is not as the schema says; with a keyword that is not known here, everywhere."""
    if reference := schema.get("$ref"):
        part: Any = root
        for name in reference.removeprefix("#/").split("/"):
            part = part[name]
        return faults(value, part, root, at)
    found = [f"{at}: {word} is not known here" for word in schema.keys() - _KNOWN]
    kinds = schema.get("type", list(TYPES))
    kinds = [kinds] if isinstance(kinds, str) else kinds
    if not any(_is(value, kind) for kind in kinds):
        return [*found, f"{at}: {value!r} is none of {kinds}"]
    if value not in schema.get("enum", [value]) or value != schema.get("const", value):
        found.append(f"{at}: {value!r} is not allowed")
    if "oneOf" in schema:
        fitting = [each for each in schema["oneOf"] if not faults(value, each, root, at)]
        if len(fitting) != 1:
            found += [f"{at}: fits {len(fitting)}", *faults(value, schema["oneOf"][-1], root, at)]
    if isinstance(value, dict):
        known = schema.get("properties", {})
        found += [f"{at}: no {key}" for key in schema.get("required", []) if key not in value]
        if schema.get("additionalProperties", True) is False:
            found += [f"{at}: {key} is not known" for key in value.keys() - known.keys()]
        for key in value.keys() & known.keys():
            found += faults(value[key], known[key], root, f"{at}/{key}")
    if isinstance(value, list):
        for number, each in enumerate(value):
            found += faults(each, schema.get("items", {}), root, f"{at}/{number}")
    if _is(value, "number") and not schema.get("minimum", value) <= value <= schema.get("maximum", value):
        found.append(f"{at}: {value} is out of range")
    if isinstance(value, str) and not re.search(schema.get("pattern", ""), value):
        found.append(f"{at}: {value!r} does not match")
    return found


def _is(value: Any, kind: str) -> bool:
    return isinstance(value, TYPES[kind]) and not (isinstance(value, bool) and kind in ("integer", "number"))
