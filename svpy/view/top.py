"""svtop: what wakes it, what it then reads, and what it draws.

Rules of this module:

- everything happens in one thread and nothing waits: files are read that are there, a fifo takes what is
  written or it is said that it does not, and that it was read is looked at again later;
- what comes often is taken together: a change in a folder is looked at after a moment in which more may
  come, a log that is written to is read twice a second;
- a bug ends it with a sentence, after textual has given the terminal back.
"""

import asyncio
import os
import signal
import time

from textual import events
from textual.app import App, ComposeResult
from textual.binding import Binding

from svpy.core.history import ASCII, BLOCKS
from svpy.core.toplines import Facts, Glyphs, on_screen, screen
from svpy.core.toprows import printable
from svpy.core.topview import Quit, Send, View
from svpy.system.calendar import local_time
from svpy.system.descriptors import has_reader, waiting_bytes
from svpy.system.proc import survives
from svpy.system.signals import names, number
from svpy.system.supervised import NotTold, tell
from svpy.view.canvas import COLOURS, NO_COLOURS, Canvas
from svpy.view.logtail import LogTail
from svpy.view.scene import BLOCK_S, Scene

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

UNICODE = Glyphs(BLOCKS, "└", "─")
PLAIN = Glyphs(ASCII, "`-", "-")

CHANGES_AFTER_S = 0.1
LOG_EVERY_S = 0.5
SELECTED_FOR_S = 0.15
"""So long a service is selected before its log is read: who holds a key down wants none of those between."""

TAKEN_WITHIN_S = 3.0
TAKEN_EVERY_S = 0.05


class Top(App[None]):
    """`code` and `trouble`: how it ended, if not by a key."""

    ENABLE_COMMAND_PALETTE = False
    BINDINGS = [  # noqa: RUF012  textual's own way
        Binding("ctrl+c", "press('ctrl+c')", show=False, priority=True),
        Binding("tab", "press('tab')", show=False, priority=True),
        Binding("ctrl+z", "suspend_process", show=False, priority=True),
    ]
    CSS = "Screen { background: ansi_default; color: ansi_default; overflow: hidden; }"

    def __init__(
        self, folder: bytes, unicode: bool = True, colours: bool = True, block_s: float = BLOCK_S
    ) -> None:
        super().__init__(ansi_color=True)
        self.signalled = 0
        self.error: Exception | None = None
        self.view = View(lambda pid, name: survives(pid, number(name)))
        self.scene = Scene(folder, block_s)
        self.tail = LogTail()
        glyphs = UNICODE if unicode else PLAIN
        self._encode = _any if unicode else _ascii
        self._facts = Facts(printable(folder), glyphs, _date, names())
        self._canvas = Canvas(COLOURS if colours else NO_COLOURS)
        self._log_of: tuple[bytes, int] | None = None
        self._told: list[tuple[int, float, str]] = []

    def compose(self) -> ComposeResult:
        yield self._canvas

    def on_mount(self) -> None:
        loop = asyncio.get_running_loop()
        for came in (signal.SIGTERM, signal.SIGHUP):
            loop.add_signal_handler(came, self._end_by, came)
        # What was shown before somebody stopped it (^Z) is gone from the terminal.
        self.app_resume_signal.subscribe(self, lambda _: self._again())
        self._listen()
        self.scene.look()
        self._sample()
        self._read_log()

    def on_unmount(self) -> None:
        self._deafen(self.scene.fd)
        self._deafen(self.tail.fd)
        self.scene.close()
        self.tail.close()
        for fd, _, _ in self._told:
            os.close(fd)

    def _end_by(self, came: signal.Signals) -> None:
        self.signalled = came
        self.exit()

    def _handle_exception(self, error: Exception) -> None:
        if self.error is None:
            self.error = error
        super()._handle_exception(error)

    def _fatal_error(self) -> None:
        """textual would print a traceback."""
        self.panic()

    # What wakes it.

    def _listen(self) -> None:
        self._hear(self.scene.fd, self._scene_changed)
        self._hear(self.tail.fd, self._log_changed)

    def _hear(self, fd: int, what: "Callable[[], None]") -> None:
        if fd >= 0:
            asyncio.get_running_loop().add_reader(fd, what)

    def _deafen(self, fd: int) -> None:
        if fd >= 0:
            asyncio.get_running_loop().remove_reader(fd)

    def _scene_changed(self) -> None:
        self._deafen(self.scene.fd)
        self.set_timer(CHANGES_AFTER_S, self._look)

    def _log_changed(self) -> None:
        self._deafen(self.tail.fd)
        self.set_timer(LOG_EVERY_S, self._log_again)

    def _look(self) -> None:
        self.scene.hear()
        self.scene.look()
        self._arrange()
        self._hear(self.scene.fd, self._scene_changed)

    def _log_again(self) -> None:
        self.tail.hear()
        self._read_log()
        self._hear(self.tail.fd, self._log_changed)

    def _sample(self) -> None:
        """The slow tick."""
        if not (self.is_headless or os.isatty(0)):
            # Its terminal is gone, and it was not even told so.
            self._end_by(signal.SIGHUP)
            return
        now = time.monotonic()
        self.scene.sweep(now)
        self.scene.look({_service(row.key, row.seen.is_logger): None for row in on_screen(self.view)})
        again_s = self.scene.sample(now)
        if not self.tail.is_told:
            self._read_log()
        self._arrange()
        self.set_timer(again_s, self._sample)

    def on_resize(self, event: events.Resize) -> None:
        self._draw()

    def on_key(self, event: events.Key) -> None:
        event.stop()
        event.prevent_default()
        self._press(event.key, event.character or "" if event.is_printable else "")

    def on_paste(self, event: events.Paste) -> None:
        event.stop()
        self.view.paste(event.text, _now())
        self._draw()

    def action_press(self, key: str) -> None:
        """A key that textual would have its own use for."""
        self._press(key, "")

    # What is done.

    def _press(self, key: str, character: str) -> None:
        wanted = self.view.press(key, character, _now())
        if isinstance(wanted, Quit):
            self.exit()
            return
        if isinstance(wanted, Send):
            self._send(wanted)
        self._draw()

    def _send(self, wanted: Send) -> None:
        try:
            fd = tell(wanted.folder, wanted.message, may_wait=False)
        except NotTold as trouble:
            self.view.message = printable(trouble.message)
            return
        finally:
            os.chdir("/")  # It went into the folder, which somebody may want to remove.
        self.view.message = f"sent: {wanted.what}"
        if not self._told:
            self.set_timer(TAKEN_EVERY_S, self._taken)
        self._told.append((fd, time.monotonic() + TAKEN_WITHIN_S, wanted.what))

    def _taken(self) -> None:
        """Whether what was sent was read."""
        waiting = []
        for fd, until_mono, what in self._told:
            if waiting_bytes(fd) and has_reader(fd) and time.monotonic() < until_mono:
                waiting.append((fd, until_mono, what))
                continue
            if waiting_bytes(fd):
                self.view.message = f"{what}: its supervise has not read it yet"
                self._draw()
            os.close(fd)
        self._told = waiting
        if waiting:
            self.set_timer(TAKEN_EVERY_S, self._taken)

    # What is drawn.

    def _arrange(self) -> None:
        listing = self.view.listing
        listing.groups = list(self.scene.groups.values())
        self._facts.trouble = printable(self.scene.trouble)
        listing.arrange(_now())
        self._draw()

    def _draw(self) -> None:
        row = self.view.listing.row
        wanted = (_service(row.key, row.seen.is_logger) if row is not None else b"", self.view.log_at)
        if wanted != self._log_of:
            self._log_of = wanted
            self.set_timer(SELECTED_FOR_S, self._read_log)
        width, height = self.size
        lines = screen(self.view, self._facts, width, height, _now())
        for line in lines:
            for cell in line:
                cell.text = self._encode(cell.text)
        self._canvas.show(lines, width)

    def _read_log(self) -> None:
        folder, at = self._log_of or (b"", 0)
        self.tail.read(self.scene.groups.get(folder), at)
        self._facts.log_title, self._facts.log = self.tail.title, self.tail.lines
        self._draw()

    def _again(self) -> None:
        self._canvas.refresh()

    def text(self) -> list[str]:
        """What is on the screen."""
        return self._canvas.text()


def _service(key: bytes, is_logger: bool) -> bytes:
    """The folder of the service that a row is of."""
    return key.rpartition(b"/")[0] if is_logger else key


def _now() -> int:
    return int(time.time())


def _date(unix_s: int) -> str:
    fields = local_time(unix_s)
    if fields is None:
        return f"second {unix_s}"
    year, month, day, hour, minute, second = fields[:6]
    return f"{year}-{month:02}-{day:02} {hour:02}:{minute:02}:{second:02}"


def _any(text: str) -> str:
    return text


def _ascii(text: str) -> str:
    return text if text.isascii() else text.encode("ascii", "replace").decode()
