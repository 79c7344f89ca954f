"""What chain loaders do to an environment, and the PATH search in it.

Rules of this module:

- an environment is a list of entries `NAME=value`, bytes, in order; a change is `NAME=value`, or
  `NAME` alone to remove;
- daemontools' pathexec decides the order: an entry that is removed or replaced makes room for the
  last one, a new one is appended, and of duplicates only the first is looked at;
- no PATH means `/bin:/usr/bin`, an empty part of it means `.`.
"""

_DEFAULT_PATH = b"/bin:/usr/bin"


def changed(entries: list[bytes], changes: list[bytes]) -> list[bytes]:
    """`entries` after `changes`, one after the other."""
    result = list(entries)
    for change in changes:
        name, equals, _ = change.partition(b"=")
        start = name + b"="
        for place, entry in enumerate(result):
            if entry.startswith(start):
                result[place] = result[-1]
                result.pop()
                break
        if equals:
            result.append(change)
    return result


def account_changes(uid: int, gid: int) -> list[bytes]:
    """envuidgid's changes."""
    return [b"GID=%d" % gid, b"UID=%d" % uid]


def file_change(name: bytes, content: bytes) -> bytes:
    """envdir's change for a file: its first line without blanks and tabs at the end, NUL standing
    for a newline; an empty file removes the variable.

    A name that holds a `=` is not refused: as in C, the variable is what stands before it."""
    if not content:
        return name
    line = content.partition(b"\n")[0].rstrip(b" \t")
    return name + b"=" + line.replace(b"\0", b"\n")


def search_path(entries: list[bytes]) -> bytes:
    """The PATH in which a program is looked up."""
    for entry in entries:
        if entry.startswith(b"PATH="):
            return entry[5:]
    return _DEFAULT_PATH


def candidates(word: bytes, path: bytes) -> list[bytes]:
    """The files that `word` may mean, in the order they are tried. A word with a `/` is itself."""
    if b"/" in word:
        return [word]
    return [(part or b".") + b"/" + word for part in path.split(b":")]
