"""svtop without a terminal, as textual's pilot plays it, on services of a real svscan."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import time
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path

import pytest
from support.processes import DEADLINE_S, TooLate, eventually
from support.services import WAITS, Services, descriptors, svscan
from textual.events import Key
from textual.pilot import Pilot

from svpy.core.topactions import ACTIONS
from svpy.core.toprows import Group, Row
from svpy.system.seeing import see
from svpy.view import top as module
from svpy.view.logtail import LogTail, parted
from svpy.view.scene import Scene
from svpy.view.top import Top

NOBODY = 65534
NOTED = ("HUP", "ALRM", "INT", "QUIT", "USR1", "USR2", "WINCH", "CONT")
NOTES = "\n".join(
    [
        *(f"trap 'echo {name} >>got' {name}" for name in NOTED),
        "trap 'echo TERM >>got; exit' TERM",
        ": >>got",
        WAITS,
    ]
)
"""A run that handles everything, and says what came. TERM it obeys."""
EVIL = "e\x1b[31mvil\x07[red]x[/\n]".replace("/", "\\")


class Played:
    """svtop with somebody at it."""

    def __init__(self, top: Top, pilot: Pilot[None]) -> None:
        self.top = top
        self.pilot = pilot

    async def press(self, *keys: str) -> None:
        await self.pilot.press(*keys)

    async def until(self, true: Callable[[], object], what: str = "") -> None:
        until = time.monotonic() + DEADLINE_S
        while not true():
            if time.monotonic() > until:
                raise TooLate(f"{what}; it shows:\n" + "\n".join(self.text()))
            await self.pilot.pause(0.02)

    async def shows(self, text: str) -> None:
        """As it stands there, or wherever lines are broken."""

        def shown() -> bool:
            lines = "\n".join(self.text())
            return text in lines or text in " ".join(lines.split())

        await self.until(shown, text)

    async def select(self, name: str) -> None:
        """By its name in the filter, which is taken away again."""
        await self.press("/", "ctrl+u")
        # At one go: behind each key that is pressed textual waits twice.
        for letter in name:
            self.top.post_message(Key(letter, letter))
        await self.press("enter")
        await self.until(lambda: self.top.view.listing.row is not None, name)
        key = self.top.view.listing.selected
        await self.press("escape")
        assert self.top.view.listing.selected == key

    def text(self) -> list[str]:
        return self.top.text()

    def line(self, name: str) -> str:
        """That of a service."""
        found = [line[1:] for line in self.text() if line[1:].startswith(f"{name} ")]
        return found[0] if found else ""

    @property
    def bottom(self) -> str:
        return self.text()[-1]


def play(folder: Path, what: Callable[[Played], Awaitable[None]], size: tuple[int, int] = (80, 24)) -> Top:
    """Plays, in a terminal that is not there."""
    before = signal.getsignal(signal.SIGTERM)

    async def main() -> Top:
        top = Top(os.fsencode(folder))
        async with top.run_test(size=size) as pilot:
            await what(Played(top, pilot))
        return top

    cwd = Path.cwd()
    try:
        top = asyncio.run(main())
    finally:
        signal.signal(signal.SIGTERM, before)
        os.chdir(cwd)
    assert top.error is None
    return top


@pytest.fixture(autouse=True)
def sampled_often(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody here has two seconds."""
    monkeypatch.setattr("svpy.view.scene.SAMPLE_EVERY_S", 0.3)


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Services]:
    """All kinds of services, and a svscan on them. What a test changes it changes back."""
    services = Services(tmp_path_factory.mktemp("scene"))
    services.make("noted", NOTES)
    services.make("plain")
    services.make(
        "logged",
        f"echo hello [red]x; echo {'y' * 200}; printf 'a\\033[31m\\tb\\n'\n{WAITS}",
        "exec multilog t ./main",
    )
    services.make("asleep", down=True)
    services.make("crashes", "exit 3")
    services.make("cat", log="exec cat >/dev/null")
    with svscan(services):
        for name in ("noted", "plain", "logged", "cat"):
            services.up(name)
        eventually(lambda: (services.folder / "noted/got").exists())
        yield services


def test_what_is_shown_at_80x24(scene: Services) -> None:
    async def look(played: Played) -> None:
        assert len(played.text()) == 24
        heading = re.match(r"svtop  6 services: 1 down, 1 restarts, 4 up  /.* by name$", played.text()[0])
        assert heading is not None, played.text()[0]
        for column in ("NAME", "STATE", "SINCE", "RST", "CPU%", "MEM"):
            assert column in played.text()[1]
        assert played.line("plain").split()[1:3] == ["U", "up"]
        assert played.line("asleep").split()[1:3] == ["d", "down"]
        await played.until(lambda: re.search(r" \d[.\d]*[KM] ", played.line("plain")), "memory")
        # Its logger is below it.
        lines = played.text()
        assert (
            "└ log" in lines[next(at for at, line in enumerate(lines) if line[1:].startswith("logged")) + 1]
        )
        await played.select("crashes")
        await played.shows("last exit 3 at ")
        assert (
            played.top.scene.groups[os.fsencode(scene.folder / "crashes")].service.seen.restarts is not None
        )

    play(scene.folder, look)


def test_the_end_of_a_log_follows_it_in_local_time(scene: Services) -> None:
    current = scene.folder / "logged/log/main/current"

    async def look(played: Played) -> None:
        await played.select("logged")
        await played.shows("hello [red]x")
        shown = "\n".join(played.text())
        assert "a?[31m    b" in shown
        stamp = re.search(r"^(\d\d-\d\d \d\d:\d\d:\d\d) hello", shown, re.M)
        assert stamp is not None
        when = time.mktime(time.strptime(f"{time.localtime().tm_year}-{stamp[1]}", "%Y-%m-%d %H:%M:%S"))
        assert abs(time.time() - when) < 600
        with current.open("ab") as file:
            file.write(b"@400000004a0000000000000a another [/] line\n")
        await played.shows("another [/] line")
        # Rotation: a new file takes its place.
        new = current.with_name("newer")
        new.write_bytes(b"no label\n")
        new.replace(current)
        await played.shows("\nno label")
        await played.press("tab", "tab")
        assert "plain" not in "\n".join(played.text())
        await played.press("tab")

        # The folder goes away, and comes back.
        main = current.parent
        main.rename(main.with_name("away"))
        await played.select("plain")
        await played.shows("plain has no logger")
        await played.select("logged")
        await played.shows("main: file does not exist")
        main.with_name("away").rename(main)
        await played.shows("\nno label")
        await played.select("plain")
        await played.select("cat")
        await played.shows("cat: no log folder is known")

    play(scene.folder, look)


def test_letters_that_are_signals(scene: Services) -> None:
    """To one that handles them; answered no, then yes, if there is a question."""
    got = scene.folder / "noted/got"

    async def act(played: Played) -> None:
        await played.select("noted")
        for row in [row for row in ACTIONS if row.letter not in b"xdokpc"]:
            letter = row.letter.decode()
            pid = scene.up("noted")
            await played.until(lambda pid=pid: f"(pid {pid})" in "\n".join(played.text()), f"{letter}: pid")  # type: ignore[misc]
            got.write_text("")
            keys = [".", "q"] if letter == "q" else [letter]
            await played.press(*keys)
            if letter in "itq":
                assert played.bottom.endswith("y/n"), letter
                await played.press("n")
                assert played.bottom == "nothing was sent", letter
                await played.press(*keys, "y")
            assert played.bottom == f"sent: {row.help} noted"
            wanted = list(row.signals)
            await played.until(
                lambda wanted=wanted: got.read_text().splitlines() == wanted, f"{letter}: signals"
            )  # type: ignore[misc]
            if letter == "t":
                scene.up("noted", since=pid)

    play(scene.folder, act)


def test_letters_that_change_what_is_wanted(scene: Services) -> None:
    async def act(played: Played) -> None:
        async def answered_no(letter: str) -> None:
            pid = scene.pid("plain")
            await played.until(lambda: f"(pid {pid})" in "\n".join(played.text()), "its pid")
            await played.press(letter, "enter")
            assert played.bottom == "nothing was sent"
            assert scene.pid("plain") == pid

        async def state(words: str) -> None:
            await played.until(lambda: played.line("plain").split()[1:3] == words.split(), words)

        await played.select("plain")
        await state("U up")
        await answered_no("p")
        await played.press("p", "y")
        await state("P paused")
        await played.press("c")
        await state("U up")
        await answered_no("d")
        await played.press("d", "y")
        await state("D down")
        await played.press("d")
        assert played.bottom == "sent: down plain", "there is nothing to ask about"
        await played.press("o")
        await state("U up")
        # Nothing that it handles: it would end, and as it is up once, for good.
        await played.press("h")
        text = "".join(line.strip(" ") + " " for line in played.text()[-3:])
        assert "it does not handle HUP, so it ends and stays down? y/n" in text
        await played.press("y")
        await state("D down")
        await played.press("u")
        await state("U up")
        pid = scene.pid("plain")
        await answered_no("k")
        await played.press("k", "y")
        await played.until(lambda: scene.pid("plain") not in (0, pid), "started again")
        await answered_no("x")

    play(scene.folder, act)


def test_exit_and_a_service_that_goes_away_and_comes_back(scene: Services) -> None:
    async def act(played: Played) -> None:
        await played.select("plain")
        await played.press("d", "y")
        await played.until(lambda: played.line("plain").split()[1:3] == ["D", "down"])
        away = scene.folder.parent / "away"
        (scene.folder / "plain").rename(away)
        await played.until(lambda: not played.line("plain"), "gone")
        # The one that took its place; nothing else has changed.
        assert played.top.view.listing.selected == os.fsencode(scene.folder / "noted")
        await played.select("logged")
        away.rename(scene.folder / "plain")
        await played.until(lambda: played.line("plain"), "back")
        assert played.top.view.listing.selected == os.fsencode(scene.folder / "logged")
        await played.select("plain")
        await played.press("x")
        assert "nobody starts it again" in " ".join(played.text()[-2:])
        await played.press("y")
        await played.until(lambda: played.line("plain").split()[1:3] == ["-", "no"], "left")
        await played.press("u")
        await played.shows("supervise not running")
        # svscan takes it up again as a new one.
        (scene.folder / "plain").rename(away)
        await played.until(lambda: not played.line("plain"), "gone")
        (away / "supervise").rename(away / "supervised")
        away.rename(scene.folder / "plain")
        await played.until(lambda: played.line("plain").split()[1:3] == ["U", "up"], "a new one")

    play(scene.folder, act)


def test_a_message_nobody_reads(scene: Services, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is said, and nothing waits for it."""
    monkeypatch.setattr(module, "TAKEN_WITHIN_S", 0.2)
    folder = scene.folder.parent / "other"
    (folder / "deaf/supervise").mkdir(parents=True)
    for name in ("ok", "control"):
        os.mkfifo(folder / "deaf/supervise" / name)
    fds = [os.open(folder / "deaf/supervise" / name, os.O_RDWR | os.O_NONBLOCK) for name in ("ok", "control")]

    async def act(played: Played) -> None:
        await played.press("u")
        assert played.bottom == "sent: up deaf"
        await played.shows("up deaf: its supervise has not read it yet")
        with pytest.raises(BlockingIOError):
            while True:
                os.write(fds[1], bytes(4096))
        await played.press("u")
        await played.shows("error writing commands to")

    try:
        play(folder, act)
    finally:
        for fd in fds:
            os.close(fd)


def test_hostile_folders(tmp_path: Path) -> None:
    folder = tmp_path / "service"
    for name in (EVIL, "[bold]", "\N{CJK UNIFIED IDEOGRAPH-6C34}" * 60, "half", "loop", "z" * 255):
        (folder / name).mkdir(parents=True)
    (folder / "loop/supervise").symlink_to("supervise")
    (folder / "loop/log").symlink_to("log")
    (folder / "half/supervise").mkdir()
    os.mkfifo(folder / "half/supervise/ok")
    (folder / "half/supervise/status").write_bytes(b"\x40half")
    ok = os.open(folder / "half/supervise/ok", os.O_RDWR | os.O_NONBLOCK)

    async def look(played: Played) -> None:
        for _ in range(8):
            await played.press("down", "d", "n", "t")
            for line in played.text():
                assert line.isprintable()
        shown = "\n".join(played.text())
        assert "e?[31mvil?[red]x[\\?]" in shown
        assert "[bold]" in shown
        await played.select("half")
        await played.shows("half: unable to read supervise/status: bad format")
        await played.select("loop")
        await played.shows("symbolic link loop")
        folder.rename(tmp_path / "away")
        await played.shows("unable to read ")
        await played.shows("file does not exist")
        await played.press("down", "d", "u", "?", "q", "/", "x", "escape", "s")
        folder.mkdir()
        await played.shows("no services in ")

    try:
        play(folder, look)
    finally:
        os.close(ok)


def test_who_may_not_look_is_told_so(reachable: Path) -> None:
    """As another user: the folder can be read, what is in it cannot."""
    if os.geteuid() != 0:
        pytest.skip("only root can be somebody else")
    for name in ("service/a/supervise", "service/a/log/supervise", "service/a/log/main"):
        (reachable / name).mkdir(parents=True)
    (reachable / "service/a/log/run").write_text("#!/bin/sh\nexec multilog t ./main\n")
    (reachable / "service/a/log/main/current").write_text("secret\n")
    for name in ("service/a/supervise", "service/a/log/main"):
        (reachable / name).chmod(0o700)
    os.seteuid(NOBODY)
    try:
        scene = Scene(os.fsencode(reachable / "service"))
        scene.look()
        scene.sample(time.monotonic())
        (group,) = scene.groups.values()
        tail = LogTail()
        tail.read(group, 0)
    finally:
        os.seteuid(0)
    assert group.service.seen.trouble == b"unable to open supervise/ok: access denied"
    assert tail.lines == [("", f"unable to read {reachable}/service/a/log/main: access denied")]
    scene.close()
    tail.close()


@pytest.mark.parametrize(
    ("line", "time", "text"),
    [
        (b"2026-11-23 12:00:01.000000009 a\tb", "11-23 12:00:01", "a    b"),
        (b"2026-11-23 12:00:01.000000009", "11-23 12:00:01", ""),
        (b"2026-11-23 12:00:01 a", "", "2026-11-23 12:00:01 a"),
        (b"@400000005\x1b[2J", "", "@400000005?[2J"),
        (b"", "", ""),
        (b"\xff\x9b31m", "", "??31m"),
    ],
)
def test_a_line_of_a_log(line: bytes, time: str, text: str) -> None:
    assert parted(line) == (time, text)


def test_a_file_of_its_folder_is_a_logger_too(services: Services) -> None:
    new = services.prepare("both", "exec sleep 1000")
    (new / "log").write_text("#!/bin/sh\nexec sleep 1000\n")
    (new / "log").chmod(0o755)
    new.rename(services.folder / "both")
    with svscan(services):
        services.up("both")

        def logger() -> int:
            return see(os.fsencode(services.folder / "both"))[1].pid

        eventually(logger)

        async def act(played: Played) -> None:
            pids = services.pid("both"), logger()
            await played.press("down", "t")
            assert f"term both/log (pid {pids[1]})" in played.bottom
            await played.press("y")
            await played.until(lambda: logger() not in (0, pids[1]), "its logger anew")
            assert services.pid("both") == pids[0]

        play(services.folder, act)


@pytest.mark.parametrize("size", [(40, 8), (60, 14), (200, 60)])
def test_other_sizes(scene: Services, size: tuple[int, int]) -> None:
    async def look(played: Played) -> None:
        assert len(played.text()) == size[1]
        assert max(map(len, played.text())) <= size[0]
        assert played.line("asleep")
        assert ("WHY" in played.text()[1]) == (size[0] > 100)
        await played.press("?", "down", "x", "tab", "tab")

    play(scene.folder, look, size)


def test_a_terminal_that_is_too_small_for_a_while(scene: Services) -> None:
    async def look(played: Played) -> None:
        await played.shows("terminal is too small: svtop\n  needs 40x8")
        await played.pilot.resize_terminal(80, 24)
        await played.shows("asleep")
        await played.pilot.resize_terminal(80, 7)
        await played.shows("terminal is too small: svtop needs 40x8")

    play(scene.folder, look, (30, 10))


def test_five_hundred(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is drawn does not depend on how many there are, and only what has changed is drawn again."""
    services = Services(tmp_path)
    for number in range(500):
        services.make(f"s{number:03}", down=number not in (3, 400))
    # No time goes by.
    now = int(time.time()) + 100
    monkeypatch.setattr(module, "_now", lambda: now)
    monkeypatch.setattr("svpy.view.scene.SAMPLE_EVERY_S", 1000.0)
    with svscan(services):
        services.up("s400")
        eventually(lambda: services.pid("s003"))
        drawn: list[int] = []

        async def look(played: Played) -> None:
            await played.until(lambda: played.line("s003").split()[1:3] == ["U", "up"])
            await played.until(lambda: len(played.top.scene.groups) == 500, "all of them")
            await played.shows("500 services: 498 down, 2 up")
            canvas = played.top._canvas
            render_line = canvas.render_line
            canvas.render_line = lambda y: drawn.append(y) or render_line(y)  # type: ignore[method-assign,func-returns-value]
            await played.press("down")
            await played.pilot.pause(0.3)
            rows = {y for y in drawn if 2 <= y < 14}
            assert rows == {2, 3}, "the one that was selected and the one that is"

            # One that is not on the screen: the line that counts, no row.
            await played.press("up")
            await played.pilot.pause(0.3)
            drawn.clear()
            services.svc("-d", "s400")
            await played.shows("499 down, 1 up")
            assert not {y for y in drawn if 2 <= y < 14} - {5}

            # All are reached, and found.
            await played.press("end")
            assert played.line("s499")
            await played.press("pageup", "home")
            await played.press("/", *"s4")
            assert len(played.top.view.listing.shown) == 100
            await played.press("escape")

        play(services.folder, look)


def test_nothing_is_left_open(scene: Services) -> None:
    async def look(played: Played) -> None:
        await played.select("logged")
        await played.press("u")
        await played.shows("sent")

    play(scene.folder, look)
    before = descriptors(os.getpid())
    play(scene.folder, look)
    assert descriptors(os.getpid()) == before


def test_a_bug_ends_it(scene: Services, monkeypatch: pytest.MonkeyPatch) -> None:
    async def act(played: Played) -> None:
        monkeypatch.setattr(module, "screen", lambda *words: 1 / 0)
        await played.press("down")

    with pytest.raises(ZeroDivisionError):
        play(scene.folder, act)


def test_a_process_with_others_work_in_it_has_no_share(tmp_path: Path) -> None:
    services = Services(tmp_path)
    for name in ("one", "two"):
        services.make(name, log="exec multilog t ./main")
    with svscan(services):
        for name in ("one", "two"):
            services.up(name)
            eventually(lambda name=name: see(os.fsencode(services.folder / name))[1].pid)  # type: ignore[misc]
        scene = Scene(os.fsencode(services.folder))
        scene.look()
        for _ in range(2):
            scene.sample(time.monotonic())
        groups: list[Group] = list(scene.groups.values())
        scene.close()
    loggers: list[Row] = [group.logger for group in groups if group.logger is not None]
    assert [row.seen.shared for row in loggers] == [True, True]
    assert [row.rss_bytes for row in loggers] == [None, None]
    assert all(group.service.rss_bytes for group in groups)
    assert all(group.service.share is not None for group in groups)
