"""Threads of which one works at a time, and which are not held up by one that is stuck.

Rules of this module:

- two threads wait for something to do. What comes is done one after the other, by whichever of them has the
  turn: two at work at once would only fight for the interpreter;
- who finds something to do while another has the turn leaves it there for that one, and looks after it from
  time to time. If the same thing is still being done, its doer is stuck, in a call to the kernel about a disk
  that does not answer: then who looks takes the turn over, and a new thread takes the place that became
  free. Who was stuck finishes what it was at, and ends;
- who knows that what he does takes its time gives the turn away before: what disks are told to keep, many of
  them may be told at the same time, and are quicker so;
- so nothing is begun that others wait behind, unless somebody looks: who has the turn wakes him first. But
  nobody looks while nothing waits.

A thing to do is a callable that waits for nothing but disks and stderr, and raises nothing.
"""

import time
from _collections import deque  # type: ignore[import-not-found] # not collections: see system/entry.py
from _thread import LockType, allocate_lock, get_ident, stack_size, start_new_thread

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

LOOK_S = 0.01
_STUCK_LOOKS = 2
_THREADS = 2
_MOST_ASIDE = 16
_STACK_BYTES = 1 << 18


class Turns:
    """`ready`: what is to be done, in this order; whoever is not one of these threads has to wake one of them
    when he puts something there."""

    __slots__ = (
        "_away",
        "_begun",
        "_changing",
        "_holder",
        "_is_looked_after",
        "_threads",
        "_turn",
        "_wait",
        "_wake",
        "ready",
    )

    def __init__(
        self, wait: "Callable[[float], Callable[[], None] | None]", wake: "Callable[[], None]"
    ) -> None:
        """`wait(timeout_s)` returns when there is something to do, which may be in `ready` already; it waits
        for ever if that is negative. `wake` lets one return that waits so."""
        self._wait = wait
        self._wake = wake
        self._is_looked_after = False
        self.ready: deque[Callable[[], None]] = deque()
        self._turn: LockType = allocate_lock()
        self._begun = 0
        self._threads = 0
        self._away = 0
        self._holder = 0
        self._changing = allocate_lock()

    def start(self) -> None:
        """Raises RuntimeError if there cannot be even one thread."""
        stack_size(_STACK_BYTES)
        self._add_thread()
        if self._threads == 0:
            raise RuntimeError
        self._add_thread()

    def _add_thread(self) -> None:
        """One that is missing now is made up for when another ends."""
        self._threads += 1
        try:
            start_new_thread(self._live, ())
        except RuntimeError:
            self._threads -= 1

    def _live(self) -> None:
        while True:
            while self.ready:
                turn = self._turn
                if turn.acquire(False):
                    ours: LockType | None = turn
                else:
                    self._is_looked_after = True
                    ours = self._look_after(turn)
                    self._is_looked_after = False
                if ours is not None and not self._work(ours):
                    return
            found = self._wait(-1.0)
            if self._threads < _THREADS:
                self._make_up()
            if found is not None:
                self.ready.append(found)

    def _make_up(self) -> None:
        """For one that went aside: those that wait are to be two while something is done."""
        with self._changing:
            if self._threads < _THREADS:
                self._add_thread()

    def _look_after(self, turn: LockType) -> LockType | None:
        """Wait while others are at work and there is something to do. Returns the turn if it became ours."""
        begun = self._begun
        looks = 0
        while self.ready:
            time.sleep(LOOK_S)
            if turn.acquire(False):
                return turn
            if self._turn is not turn or self._begun != begun:
                turn, begun, looks = self._turn, self._begun, 0
                if turn.acquire(False):
                    return turn
                continue
            looks += 1
            if looks == _STUCK_LOOKS:
                return self._take_over(turn)
        return None

    def _take_over(self, turn: LockType) -> LockType | None:
        """The turn, in another lock: who holds the first one finds that it means nothing any more."""
        with self._changing:
            if self._turn is not turn:
                return None
            self._turn = fresh = allocate_lock()
            fresh.acquire()
            self._holder = 0
            self._threads -= 1
            self._away += 1
            self._add_thread()
            return fresh

    def aside(self) -> None:
        """Who works calls this before what takes its time."""
        if self._holder != get_ident() or self._away >= _MOST_ASIDE:
            return
        with self._changing:
            if self._holder != get_ident():
                return
            self._turn = allocate_lock()
            self._holder = 0
            self._threads -= 1
            self._away += 1
            # Who waits wakes for what comes, but not for what is there.
            if self.ready or not self._threads:
                self._add_thread()

    def _work(self, turn: LockType) -> bool:
        """Do all there is to do. Returns whether this thread is still one of those that wait."""
        ready = self.ready
        while True:
            self._holder = get_ident()
            while ready and self._turn is turn:
                self._begun += 1
                try:
                    do = ready.popleft()
                except IndexError:
                    break  # Who had taken over was quicker.
                if ready and not self._is_looked_after:
                    if self._threads < _THREADS:
                        self._make_up()
                    else:
                        self._wake()
                do()
                if ready and (self._is_looked_after or self._threads < _THREADS):
                    # Who looks, or could not be started, is nobody that waits.
                    found = self._wait(0.0)
                    if found is not None:
                        ready.append(found)
            with self._changing:
                if self._turn is not turn:
                    self._away -= 1
                    if self._threads >= _THREADS:
                        return False
                    self._threads += 1
                    return True
                self._holder = 0
                turn.release()
            # What was put there while we had the turn was left to us.
            if not ready or not turn.acquire(False):
                return True
