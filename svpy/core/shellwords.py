"""Words as sh reads them back.

Rules of this module:

- what means nothing to any shell stays bare, so that a script looks as a person would have written it; all
  else stands between `'` and `'`, where every byte is itself, but for the quote: that is `'\\''`;
- words may hold any byte but NUL, which no word of a command line can;
- a `=` is bare where it does not begin a word: there zsh, into which people paste, looks for a command.
"""

_BARE = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_%+,-./:=@")


def quoted(word: bytes) -> bytes:
    """One word, so that sh makes the same of it."""
    if word and _BARE.issuperset(word) and not word.startswith(b"="):
        return word
    return b"'" + word.replace(b"'", b"'\\''") + b"'"


def line(words: "list[bytes] | tuple[bytes, ...]") -> bytes:
    """Words with a blank between them."""
    return b" ".join(map(quoted, words))
