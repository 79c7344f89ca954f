"""svcheck [--json] DIR...: what will go wrong with these services; without a DIR, with all of /service.

Exits 0 if there is nothing worse than a note, 1 if there are warnings, 2 if there are errors, 111 if a folder
could not be read, whatever was found in others."""

from svpy.core.errors import FAILED, USAGE, Die, error_text, one_line
from svpy.core.longoptions import parse
from svpy.system.dispositions import restore_defaults
from svpy.system.entry import entry
from svpy.system.tell import because, say, write_all

TYPE_CHECKING = False
if TYPE_CHECKING:
    from svpy.core.check import Finding

_JSON = b"--json"
_USAGE = b"svcheck: usage: svcheck [--json] [dir ...]"


def run(words: list[bytes]) -> int:
    restore_defaults()
    asked = parse(words, {_JSON: False}, _USAGE)
    folders = [*asked.words, *(asked.behind or [])]
    if not all(folders):
        raise Die(USAGE, _USAGE)
    found: list[Finding] = []
    unreadable: list[tuple[bytes, bytes]] = []
    for folder in folders or _services():
        try:
            found += _findings(folder)
        except OSError as error:
            unreadable.append((folder, error_text(error.errno)))
            say(because(b"svcheck: warning: unable to read " + one_line(folder), error))
    data = _as_json(found, unreadable) if asked.options else b"".join(_line(each) for each in found)
    try:
        write_all(1, data)
    except OSError as error:
        raise Die(FAILED, because(b"svcheck: fatal: unable to write", error)) from None
    return FAILED if unreadable else max((_exit_code(each) for each in found), default=0)


def _services() -> list[bytes]:
    from svpy.system.seeing import SERVICES, services

    try:
        return services()
    except OSError as error:
        raise Die(FAILED, because(b"svcheck: fatal: unable to read " + SERVICES, error)) from None


def _findings(folder: bytes) -> "list[Finding]":
    import os

    # What keeps us from it is found out before all that is needed is imported.
    os.close(os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC))
    from svpy.core.check import findings
    from svpy.system.checking import gather

    return findings(gather(folder))


def _exit_code(finding: "Finding") -> int:
    from svpy.core.check import SEVERITIES

    return SEVERITIES.index(finding.rule.severity)


def _line(finding: "Finding") -> bytes:
    where = finding.folder + (b"/" + finding.file if finding.file else b"")
    if finding.line:
        where += b":%d" % finding.line
    said = finding.rule.severity + b": " + finding.reason + b"; mend: " + finding.mend
    return one_line(where + b": " + said + b" [" + finding.rule.name + b"]") + b"\n"


def _as_json(found: "list[Finding]", unreadable: list[tuple[bytes, bytes]]) -> bytes:
    import json

    from svpy.core.checkjson import document

    return json.dumps(document(found, unreadable), indent=1).encode() + b"\n"


def main() -> None:
    entry(b"svcheck", run)
