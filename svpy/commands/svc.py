"""svc -udopchaitkxq12w+=Ll DIR...: write letters into each DIR's control fifo; exits 0 even if one has none.

What was sent is visible to svstat when svc ends: behind the letters stands a byte that only ends them,
which a supervise takes out of the fifo when it has published what came before, and svc waits for
that, a moment at most. C does not wait: who asks at once can be told the old state."""

from svpy.core import control, options
from svpy.system.entry import entry
from svpy.system.origin import Origin
from svpy.system.supervised import NotTold, tell, wait_until_taken
from svpy.system.tell import say

TAKEN_WITHIN_S = 0.5
"""A C supervise may be deaf for a second, which is not worth waiting for; a svscan that is being replaced,
for less than half of one, is."""

AT_ONCE = 200
"""Folders whose fifos are held open while they are waited for: far below any limit on descriptors."""


def run(words: list[bytes]) -> int:
    allowed = b"".join(row.letter for row in control.LETTERS)
    chosen, folders = options.parse(b"svc", allowed, words, b"svc options: " + control.summary())
    message = control.message([letter for letter, _ in chosen])
    origin = Origin(b"svc")
    told: list[int] = []
    for folder in folders:
        try:
            told.append(tell(folder, message))
        except NotTold as trouble:
            say(b"svc: warning: " + trouble.message)
        origin.back()
        if len(told) == AT_ONCE:
            wait_until_taken(told, TAKEN_WITHIN_S)
            told.clear()
    wait_until_taken(told, TAKEN_WITHIN_S)
    return 0


def main() -> None:
    entry(b"svc", run)
