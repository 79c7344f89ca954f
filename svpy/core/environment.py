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
    names = {entry.partition(b"=")[0] for entry in result}
    for change in changes:
        name, equals, _ = change.partition(b"=")
        if name in names:
            _remove_first(result, name + b"=")
        if equals:
            result.append(change)
            names.add(name)
    return result


def _remove_first(entries: list[bytes], start: bytes) -> None:
    for place, entry in enumerate(entries):
        if entry.startswith(start):
            entries[place] = entries[-1]
            entries.pop()
            return


def account_changes(uid: int, gid: int) -> list[bytes]:
    """envuidgid's changes."""
    return [b"GID=%d" % gid, b"UID=%d" % uid]


def login_changes(home: bytes, shell: bytes, user: bytes, uid: int, gid: int) -> list[bytes]:
    """setuser's changes, in daemontools-encore's order."""
    login = [b"HOME=" + home, b"SHELL=" + shell, b"USER=" + user]
    return login + account_changes(uid, gid)


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
