"""Names and paths in JSON, which has no bytes: svstat --json and svcheck --json.

Those that are UTF-8 are that text. Of others each byte that is not part of a character is U+FFFD, and a
second key, `…_hex`, has all bytes in hex.
"""


def named(key: str, name: bytes) -> "dict[str, str]":
    """A name under its key, or under two."""
    try:
        return {key: name.decode()}
    except UnicodeDecodeError:
        return {key: name.decode("utf-8", "replace"), key + "_hex": name.hex()}
