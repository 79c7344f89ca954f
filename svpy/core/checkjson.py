"""What svcheck --json writes: docs/svcheck.schema.json describes it.

Rules of this module:

- a key that is there stays, with its meaning, and so do the ids of rules; keys and rules are added. `format`
  changes if that cannot be kept;
- names and paths are as core/jsonbytes.py has them.
"""

from svpy.core.check import Finding
from svpy.core.errors import one_line
from svpy.core.jsonbytes import named

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

FORMAT = 1


def document(found: list[Finding], unreadable: list[tuple[bytes, bytes]]) -> "dict[str, Any]":
    """All of it in plain values. `unreadable`: folders, and why."""
    return {
        "format": FORMAT,
        "findings": [_finding(each) for each in found],
        "unreadable": [{**named("folder", folder), "reason": _words(why)} for folder, why in unreadable],
    }


def _finding(each: Finding) -> "dict[str, Any]":
    return {
        **named("folder", each.folder),
        "file": each.file.decode() or None,
        "line": each.line or None,
        "severity": each.rule.severity.decode(),
        "id": each.rule.name.decode(),
        "reason": _words(each.reason),
        "mend": _words(each.mend),
    }


def _words(data: bytes) -> str:
    return one_line(data).decode("utf-8", "replace")
