"""What a host hands over to the program that follows it in the same process (`svpy upgrade`).

Rules of this module:

- it is JSON, with every string a run of bytes in latin-1 and infinity allowed; moments are CLOCK_MONOTONIC's,
  which does not begin anew;
- a key is the name of what it holds, so that a newer and an older program understand each other: one that
  is not known is passed over, one that is missing is as in a host that has just begun;
- a key that ends in `fd` holds a descriptor, one in `fds` several: these are handed on, and closed by a
  program that understands nothing else;
- FORMAT changes when a program that does not know of the change would do wrong.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import Any

FORMAT = 1
WITH_NATIVES = 2
"""With processes that host loggers: a program that does not know of them would take each for one logger's."""

UNDERSTOOD = b"svscan: understood"
"""What a program says last, and then ends, when it was asked whether it understands a state."""

State = dict[str, Any]


def encode(state: State) -> bytes:
    """All of it as bytes. It may say itself which format it is of."""
    # Only who is replaced needs it.
    import json

    whole = {"format": FORMAT, **state}
    return json.dumps(whole, default=_text, separators=(",", ":")).encode()


def decode(data: bytes) -> State:
    """The reverse. Raises ValueError."""
    import json

    whole = json.loads(data)
    if not isinstance(whole, dict) or whole.get("format") not in (FORMAT, WITH_NATIVES):
        raise ValueError("a state of another format")
    state: State = _with_bytes(whole)
    return state


def _text(value: object) -> str:
    if isinstance(value, bytes):
        return value.decode("latin-1")
    raise TypeError(f"{type(value).__name__} cannot be handed over")


def _with_bytes(value: Any) -> Any:
    if isinstance(value, str):
        return value.encode("latin-1")
    if isinstance(value, list):
        return [_with_bytes(each) for each in value]
    if isinstance(value, dict):
        return {key: _with_bytes(each) for key, each in value.items()}
    return value


def memory(thing: object, but: Collection[str] = ()) -> State:
    """What an object with slots remembers. A slot that is added is handed over like the others."""
    return {slot: getattr(thing, slot) for slot in _slots(thing) if slot not in but}


def recall(thing: object, state: Mapping[str, Any], but: Collection[str] = ()) -> None:
    """Let an object remember it, so far as it knows of it."""
    for slot in _slots(thing):
        if slot in state and slot not in but:
            setattr(thing, slot, state[slot])


def _slots(thing: object) -> tuple[str, ...]:
    slots: tuple[str, ...] = vars(type(thing))["__slots__"]
    return slots


def descriptors(state: object) -> set[int]:
    """All descriptors that are handed over, but for the standard ones, which every program is given."""
    return {fd for fd in _descriptors(state) if fd > 2}


def _descriptors(state: object) -> Iterator[int]:
    if isinstance(state, list):
        for each in state:
            yield from _descriptors(each)
    elif isinstance(state, dict):
        for key, value in state.items():
            if key.endswith("fd") and isinstance(value, int):
                yield value
            elif key.endswith("fds"):
                yield from value
            else:
                yield from _descriptors(value)
