"""What /bin/sh makes of an environment before it executes a program.

Shells differ: one drops names that are no identifiers and counts in SHLVL, another does not, and each has an
order of its own. No shell is known here by its name. One was asked twice, and believed if its answers make
sense.

Rules of this module:

- what is known holds for the environment that was asked about, byte for byte, and no other;
- between the two questions everything changes that may change between two services: the folder, the script,
  the options of its first line. PWD is what may differ in the answers, and nothing else;
- PWD is the folder; where the environment had a PWD that leads there, the shell must have kept that (POSIX
  says so: a shell that is not told otherwise keeps the name somebody gave the folder);
- every other entry of an answer was in the environment, but for SHLVL: a shell that adds what nobody can know
  beforehand, or complains, is not understood, and what it runs is run by it;
- a word without a slash is looked for along PATH and nowhere else. A shell that executes one although PATH
  leads nowhere has commands of its own (posh its builtins, a busybox with FEATURE_SH_STANDALONE its applets):
  it gives no answer.
"""

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

_PWD = b"PWD="
_OLDPWD = b"OLDPWD="
_LAST_PROGRAM = b"_="
_OF_ITS_OWN = (b"SHLVL=",)

_PROGRAM = b"exec /bin/cat /proc/self/environ"
_UNLESS_IT_HAS_ITS_OWN = b"""\
(PATH=/proc/0; exec echo) >/dev/null 2>&1 && exit || test "$?" -eq 127
"""
"""With -e. Of `echo` every shell has a builtin, and a busybox an applet. That shell's fork costs less than to
start one more; what it says when it finds nothing is in words of its own, the exit code is POSIX's."""
_HERE = b"/proc/self/cwd"
"""A name that each process has for its folder."""


class Question:
    """A shell with these words and environment, started in that folder, executes what prints its
    environment; its stderr goes there, too."""

    __slots__ = ("environ", "folder", "words")

    def __init__(self, words: list[bytes], folder: bytes, environ: list[bytes]) -> None:
        self.words = words
        self.folder = folder
        self.environ = environ


class Shell:
    """What is known of one. `pwd`: the PWD it is given, None if it is given none."""

    __slots__ = ("_entries", "_place", "pwd")

    def __init__(self, entries: list[bytes], place: int | None, pwd: bytes | None) -> None:
        self._entries = entries
        self._place = place
        self.pwd = pwd

    def environment(self, folder: bytes, pwd_is_folder: bool) -> list[bytes] | None:
        """What a program gets that is executed in a folder, None if that is not certain. `pwd_is_folder`:
        whether the PWD that the shell is given leads there, by whatever way."""
        entries = list(self._entries)
        if self._place is None:
            return entries
        if self.pwd is not None and pwd_is_folder:
            if not _is_plain(self.pwd):
                return None
            folder = self.pwd
        entries[self._place] = _PWD + folder
        return entries


def questions(environ: list[bytes]) -> tuple[Question, Question]:
    """What to ask a shell, to know what it makes of `environ`."""
    return (
        Question([b"-c", _PROGRAM], b"/proc", environ),
        Question(
            [b"-e", b"-c", b"exec 2>&1\n" + _UNLESS_IT_HAS_ITS_OWN + _PROGRAM],
            b"/",
            [_elsewhere(entry) for entry in environ],
        ),
    )


def _elsewhere(entry: bytes) -> bytes:
    """An entry as it stands in the second question: PWD leads to the folder, OLDPWD and _ nowhere."""
    if entry.startswith(_PWD):
        return _PWD + _HERE
    # A shell may look for such a folder and drop one that is not there, which can be otherwise any time.
    if entry.startswith(_OLDPWD):
        return _OLDPWD + b"/proc/0"
    # A shell may put there what it executes, which is another program than the one it was asked about with.
    if entry.startswith(_LAST_PROGRAM):
        return _LAST_PROGRAM + b"/proc/0"
    return entry


def learned(environ: list[bytes], answers: "Sequence[bytes]") -> Shell | None:
    """What the answers to the `questions` say, each as the program printed it; None if they make no sense."""
    # A shell that executed nothing would be one that leaves nothing; one that has commands of its own stops.
    if not all(answer.endswith(b"\0") for answer in answers):
        return None
    pwds = [entry.removeprefix(_PWD) for entry in environ if entry.startswith(_PWD)]
    entries, others = (answer.split(b"\0")[:-1] for answer in answers)
    # What may stand in the first answer, and what must stand for it in the second.
    known = {entry: _elsewhere(entry) for entry in environ if not entry.startswith(_PWD)}
    known[_PWD + b"/proc"] = _PWD + (_HERE if pwds else b"/")
    known |= {entry: entry for entry in entries if entry.startswith(_OF_ITS_OWN)}
    if others != [known.get(entry) for entry in entries]:
        return None
    if len(pwds) > 1 or any(_has(environ, name) and not _has(entries, name) for name in (_PWD, _OLDPWD)):
        return None
    place = next((at for at, entry in enumerate(entries) if entry.startswith(_PWD)), None)
    return Shell(entries, place, pwds[0] if pwds else None)


def _has(entries: list[bytes], start: bytes) -> bool:
    return any(entry.startswith(start) for entry in entries)


def _is_plain(path: bytes) -> bool:
    """Whether no shell would write it otherwise."""
    first, *parts = path.split(b"/")
    return path == b"/" or (not first and bool(parts) and {b"", b".", b".."}.isdisjoint(parts))
