"""svpy-init as PID 1 of a namespace, and `svpy shutdown`. tests/boot/test_machine.py has the real kernel."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

import pytest
from support.machine import BREAKS_ONCE, Machine, init_after, patched
from support.namespaces import missing
from support.processes import BIN, eventually, run
from support.services import WAITS, Services, descriptors

from svpy.core.machine import ENDS, LETTERS, PATH
from svpy.core.orders import MACHINE, Order

why_not = missing("nsenter", "setpriv")
alone = pytest.mark.skipif(bool(why_not), reason=why_not)
ENDINGS = sorted((name, order) for name, order in MACHINE.items() if order.ends)
DEATHS = {
    Order.HALT: signal.SIGINT,
    Order.POWER_OFF: signal.SIGINT,
    Order.REBOOT: signal.SIGHUP,
}
"""pid_namespaces(7)."""
SAYS_UP = "echo up as $$; exec sleep 1000"
TOLD = "svpy-init: {}: all processes are told to end"


@pytest.fixture
def machine(tmp_path: Path, services: Services) -> Machine:
    return Machine(tmp_path, services)


@alone
@pytest.mark.parametrize(("name", "order"), ENDINGS, ids=[name for name, _ in ENDINGS])
def test_a_signal_ends_the_machine_in_order(machine: Machine, name: str, order: Order) -> None:
    machine.services.make("one", f"trap 'echo one has ended; exit' TERM\necho one is up\n{WAITS}")
    traps = f"""trap "echo the forked one has ended; exit" TERM; echo forked; {WAITS}"""
    machine.services.make("forked", f"setsid sh -c '{traps}' & exec sleep 1000")
    machine.write("rc.shutdown", 'echo "rc.shutdown $*:" /proc/[1-9]*')
    word = ENDS[order].decode()
    with machine.start() as console:
        console.line(b"rc.init was here")
        up = {console.line(), console.line()}
        assert up == {b"one is up", b"forked"}
        os.kill(console.init, getattr(signal, f"SIG{name}"))
        console.line(b"one has ended")
        console.line(TOLD.format(word).encode())
        console.line(b"the forked one has ended")
        told = console.line(b"rc.shutdown").decode().split()
        assert told[:3] == ["rc.shutdown", f"{word}:", "/proc/1"]
        assert len(told) == 4, "nothing but PID 1 and the script itself"
        assert console.rest() == b""
        assert console.death() is DEATHS[order]


@alone
@pytest.mark.parametrize("letter", LETTERS, ids=[letter.decode() for letter in LETTERS])
def test_svpy_shutdown_asks_for_it(machine: Machine, letter: bytes) -> None:
    machine.services.make("one", SAYS_UP)
    with machine.start() as console:
        console.line(b"up as")
        assert console.ask(BIN / "svpy", "shutdown", b"-" + letter) == (0, b"")
        console.line(b"rc.shutdown was told: " + ENDS[LETTERS[letter]])
        assert console.death() is DEATHS[LETTERS[letter]]


@alone
def test_svpy_shutdown_is_for_root(machine: Machine) -> None:
    machine.services.make("one", SAYS_UP)
    with machine.start() as console:
        console.line(b"up as")
        nobody = ("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups")
        assert console.ask(*nobody, BIN / "svpy", "shutdown", "-p") == (
            111, b"svpy: fatal: unable to shut down: permission denied\n",
        )  # fmt: skip
        assert console.ask("kill", "-0", "1") == (0, b"")


def test_svpy_shutdown_leaves_another_init_alone() -> None:
    if Path("/proc/1/comm").read_text() == "svpy-init\n":
        pytest.skip("PID 1 of this machine is svpy-init")
    done = run("svpy", "shutdown", "-p")
    said = b"svpy: fatal: unable to shut down: PID 1 is not svpy-init\n"
    assert (done.returncode, done.stdout, done.stderr) == (111, b"", said)


@pytest.mark.parametrize("words", [[], ["-x"], ["-hp"], ["-"], ["p"], ["-p", "-r"], ["-p", "now"]])
def test_svpy_shutdown_wants_one_option(words: list[str]) -> None:
    done = run("svpy", "shutdown", *words)
    assert (done.returncode, done.stdout) == (100, b"")
    assert b"shutdown -h | -p | -r" in done.stderr


def test_it_is_for_pid_1() -> None:
    done = run("svpy-init")
    said = b"svpy-init: fatal: unable to be init: this is not PID 1\n"
    assert (done.returncode, done.stdout, done.stderr) == (111, b"", said)


@alone
def test_what_the_first_process_is_given(machine: Machine) -> None:
    """A PATH of its own, the kernel's own words ignored, nothing to read, a name that is seen."""
    machine.services.make("one", f"tr '\\0' '\\n' </proc/1/cmdline; env -u PWD; {SAYS_UP}")
    words = ("/usr/bin/env", "colour=blue", BIN / "svpy-init", "quiet", "--state", "x", "-h", "single")
    with machine.start(*words) as console:
        console.line(b"rc.init was here")
        said = []
        while not (line := console.line()).startswith(b"up as "):
            said.append(line)
        assert set(filter(None, said)) == {b"svpy-init", PATH, b"HOME=/", b"TERM=linux", b"colour=blue"}
        pid = console.ask("cat", "/service/one/supervise/status")[1][12]
        fds = descriptors(_outside(console.init, pid))
        assert len(fds) == 3
        assert [fd for fd in fds if fd.endswith("/dev/null")]
        assert Path(f"/proc/{console.init}/comm").read_text() == "svpy-init\n"
        assert console.ask("svpy-init")[0] == 111


def _outside(init: int, inner_pid: int) -> int:
    """The pid here of a child of a namespace's PID 1."""
    for child in Path(f"/proc/{init}/task/{init}/children").read_text().split():
        status = Path(f"/proc/{child}/status").read_text()
        if status.partition("NSpid:")[2].split("\n")[0].split()[-1] == str(inner_pid):
            return int(child)
    raise AssertionError(f"no child of {init} is {inner_pid} inside")


@alone
@pytest.mark.parametrize(
    ("broken", "said"),
    [
        ("rm /etc/svpy/rc.init", b"unable to run /etc/svpy/rc.init: file does not exist"),
        ("chmod 644 /etc/svpy/rc.init", b"unable to run /etc/svpy/rc.init: access denied"),
        ("echo 'exit 3' >/etc/svpy/rc.init", b"unable to carry out all of /etc/svpy/rc.init: exit code 3"),
        ("echo 'kill -9 $$' >/etc/svpy/rc.init", b"of /etc/svpy/rc.init: killed by signal 9"),
        ("echo '#!/no/such' >/etc/svpy/rc.init", b"unable to run /etc/svpy/rc.init: file does not exist"),
        ("f=/etc/svpy/rc.init; rm $f; mkdir $f", b"unable to run /etc/svpy/rc.init: access denied"),
    ],
)
def test_whatever_becomes_of_the_scripts_services_run_and_the_machine_ends(
    machine: Machine, broken: str, said: bytes
) -> None:
    machine.services.make("one", SAYS_UP)
    breaks = f"{broken}; {broken.replace('rc.init', 'rc.shutdown')}".replace("/etc/svpy", '"$SCRIPTS"')
    with machine.start(before=f"{breaks}\n") as console:
        assert console.line().endswith(said)
        console.line(b"up as")
        os.kill(console.init, signal.SIGTERM)
        console.line(TOLD.format("reboot").encode())
        assert console.line().endswith(said.replace(b"rc.init", b"rc.shutdown"))
        assert console.death() is signal.SIGHUP


@alone
def test_a_script_needs_no_first_line(machine: Machine) -> None:
    (machine.scripts / "rc.init").write_text("echo setting up")
    machine.services.make("one", SAYS_UP)
    with machine.start() as console:
        console.line(b"setting up")
        console.line(b"up as")


@alone
def test_a_signal_cuts_rc_init_short(machine: Machine) -> None:
    machine.write("rc.init", "echo checking; exec sleep 1000")
    machine.services.make("one", SAYS_UP)
    with machine.start() as console:
        console.line(b"checking")
        os.kill(console.init, signal.SIGHUP)
        os.kill(console.init, signal.SIGINT)
        console.line(TOLD.format("reboot").encode())
        console.line(b"rc.shutdown was told: reboot")
        assert console.death() is signal.SIGHUP
        assert b"up as" not in console.said


@alone
def test_nothing_of_service_is_held_when_all_is_unmounted(machine: Machine) -> None:
    machine.services.make("one", SAYS_UP, log="cat")
    machine.write("rc.shutdown", "echo held: $(readlink /proc/1/cwd /proc/1/fd/*)")
    with machine.start() as console:
        eventually(lambda: machine.services.up("one/log"))
        os.kill(console.init, signal.SIGTERM)
        cwd, *fds = console.line(b"held: ").split()[1:]
        assert cwd == b"/"
        assert not [fd for fd in fds if b"/one" in fd or b"/service" in fd]
        # The folder it was started in may be open for a moment longer.
        assert len([fd for fd in fds if fd != b"/"]) <= 4, "the standard ones, and stderr once more"
        assert console.death() is signal.SIGHUP


@alone
def test_what_asks_first_decides(machine: Machine) -> None:
    machine.services.make("one", f"trap 'echo asked; sleep 0.2; exit' TERM\necho up\n{WAITS}")
    machine.write("rc.shutdown", 'kill -TERM 1; kill -USR1 1; echo "rc.shutdown was told: $*"')
    with machine.start() as console:
        console.line(b"up")
        os.kill(console.init, signal.SIGUSR2)
        console.line(b"asked")
        os.kill(console.init, signal.SIGTERM)
        console.line(b"rc.shutdown was told: poweroff")
        assert console.death() is signal.SIGINT


@alone
def test_nothing_holds_up_the_end(machine: Machine) -> None:
    """A process that ignores TERM, an rc.shutdown that never ends."""
    machine.services.make("one", "sh -c 'trap \"\" TERM; echo deaf; while :; do sleep 1; done' & " + SAYS_UP)
    machine.write("rc.shutdown", "echo waiting; sleep 1000 & wait; echo never")
    with machine.start(*patched(TERM_S=0.5, CLOSE_DOWN_S=0.5)) as console:
        console.line(b"deaf")
        os.kill(console.init, signal.SIGUSR1)
        console.line(b"svpy-init: warning: unable to end all processes with TERM: sending KILL")
        console.line(b"waiting")
        console.line(b"svpy-init: warning: unable to wait for /etc/svpy/rc.shutdown any longer: sending KILL")
        assert console.rest() == b""
        assert console.death() is signal.SIGINT


@alone
@pytest.mark.parametrize(("said", "bound_s"), [("0.5\n", 60.0), ("soon", 0.5), (None, 0.5)])
def test_services_have_their_time_and_no_more(machine: Machine, said: str | None, bound_s: float) -> None:
    """What /etc/svpy/stop-timeout says, or what a machine has anyway."""
    machine.services.make("one", f"trap '' TERM\necho up\n{WAITS}", log="cat")
    if said is not None:
        (machine.scripts / "stop-timeout").write_text(said)
    with machine.start(*patched(STOP_TIMEOUT_S=bound_s)) as console:
        console.line(b"up")
        os.kill(console.init, signal.SIGUSR2)
        console.line(b"rc.shutdown was told: poweroff")
        assert console.death() is signal.SIGINT
    refused = b"unable to use /etc/svpy/stop-timeout: it is not a number of seconds"
    assert (refused in console.said) == (said == "soon")


@alone
def test_whoever_else_runs_is_asked_to_end_also_when_a_service_was_late(machine: Machine) -> None:
    traps = f"""trap "echo asked; exit" TERM; echo up; {WAITS}"""
    machine.services.make("one", f"setsid sh -c '{traps}' & trap '' TERM; {WAITS}")
    with machine.start(*patched(STOP_TIMEOUT_S=0.3)) as console:
        console.line(b"up")
        os.kill(console.init, signal.SIGTERM)
        assert console.line(b"one: ").endswith(b"killing one: it did not end in time")
        console.line(b"asked")
        assert console.death() is signal.SIGHUP


@alone
def test_stopped_processes_end_as_well(machine: Machine) -> None:
    machine.services.make("one", "sh -c 'kill -STOP $$; echo never' & echo up; exec sleep 1000")
    with machine.start() as console:
        console.line(b"up")
        os.kill(console.init, signal.SIGTERM)
        assert b"KILL" not in console.rest()
        assert console.death() is signal.SIGHUP


@alone
def test_services_that_cannot_be_hosted_yet_are_hosted_later(machine: Machine) -> None:
    machine.services.make("one", SAYS_UP)
    machine.write("rc.init", "umount /service; rmdir /service; rm -rf /etc/service")
    with machine.start(*patched(RETRY_S=0.2)) as console:
        console.line(b"svpy-init: warning: unable to chdir to /service: file does not exist")
        code, _ = console.ask("ln", "-s", machine.services.folder, "/service")
        assert code == 0
        console.line(b"up as")
        os.kill(console.init, signal.SIGTERM)
        assert console.death() is signal.SIGHUP


@alone
def test_the_services_may_be_where_debian_has_them(machine: Machine) -> None:
    machine.services.make("one", f"pwd; {SAYS_UP}")
    moves = "mount --bind /service service; umount /service; rmdir /service"
    machine.write("rc.init", f"cd /etc; rm -rf service; mkdir service; {moves}")
    with machine.start() as console:
        console.line(b"/etc/service/one")
        os.kill(console.init, signal.SIGTERM)
        assert console.death() is signal.SIGHUP


@alone
def test_no_exception_ends_it(machine: Machine) -> None:
    machine.services.make("one", SAYS_UP)
    start = init_after(f"{BREAKS_ONCE}\nimport svpy.core.machine as rules; rules.RETRY_S = 0.2")
    with machine.start(*start) as console:
        assert console.line(b"warning").startswith(b"svpy-init: warning: unexpected SystemExit: not so in ")
        console.line(b"up as")
        os.kill(console.init, signal.SIGTERM)
        console.line(b"rc.shutdown was told: reboot")
        assert console.death() is signal.SIGHUP


@alone
def test_no_exception_that_cannot_be_printed_ends_it(machine: Machine) -> None:
    """Of the first thing that it does on: whether it is a machine's PID 1 is not known then."""
    breaks = """
import svpy.daemon.machine as init
class Unprintable(Exception):
    def __str__(self):
        raise MemoryError
def breaks(*words):
    raise Unprintable
init.environment.adopt = init.signals.wait_for = init.title.take = breaks
"""
    machine.services.make("one", SAYS_UP)
    with machine.start(*init_after(breaks)) as console:
        console.line(b"up as")
        os.kill(console.init, signal.SIGTERM)
        console.line(b"rc.shutdown was told: reboot")
        assert console.death() is signal.SIGHUP


@alone
def test_a_module_that_cannot_be_imported_is_tried_again(machine: Machine) -> None:
    """svpy is just being unpacked, or its disk had no room."""
    breaks = f"""#!{sys.executable} -I
import os, sys
if os.path.exists("/etc/svpy/broken"):
    os.unlink("/etc/svpy/broken")
    sys.modules["svpy.daemon.machine"] = None
from svpy.commands.svpy_init import main; main()
"""
    machine.services.make("one", SAYS_UP)
    machine.write("svpy-init", breaks)
    (machine.scripts / "broken").touch()
    with machine.start("/etc/svpy/svpy-init", "quiet") as console:
        assert console.line().startswith(b"svpy-init: warning: unexpected ModuleNotFoundError: ")
        console.line(b"rc.init was here")
        console.line(b"up as")
        os.kill(console.init, signal.SIGTERM)
        assert console.death() is signal.SIGHUP


@alone
def test_an_upgrade_leaves_the_machine_as_it_is(machine: Machine) -> None:
    """Not set up again, no service touched, and the end is what it was."""
    machine.services.make("one", f"trap 'echo one has ended; exit' TERM\necho one is up\n{WAITS}")
    with machine.start() as console:
        console.line(b"one is up")
        for _ in range(2):
            assert console.ask(BIN / "svpy", "upgrade") == (0, b"")
        assert console.ask("cat", "/proc/1/comm") == (0, b"svpy-init\n")
        machine.services.make("two", f"echo $PATH; {SAYS_UP}")
        console.line(PATH.removeprefix(b"PATH="))
        assert console.ask(BIN / "svpy", "shutdown", "-r") == (0, b"")
        console.line(b"one has ended")
        console.line(b"rc.shutdown was told: reboot")
        assert console.death() is signal.SIGHUP
        assert console.said.count(b"rc.init was here") == 1
        assert console.said.count(b"one is up") == 1
        assert b"warning" not in console.said


@alone
def test_without_trio_the_machine_can_still_be_ended(machine: Machine) -> None:
    machine.services.make("one", SAYS_UP)
    with machine.start(*init_after("import sys; sys.modules['trio'] = None")) as console:
        console.line(b"svpy-init: warning: unexpected ModuleNotFoundError: ")
        os.kill(console.init, signal.SIGPWR)
        console.line(b"rc.shutdown was told: poweroff")
        assert console.death() is signal.SIGINT


@alone
def test_a_container_that_may_not_reboot_ends_with_0(machine: Machine) -> None:
    machine.services.make("one", SAYS_UP)
    unprivileged = ("/usr/bin/setpriv", "--bounding-set", "-sys_boot", "--inh-caps", "-sys_boot")
    with machine.start(*unprivileged, BIN / "svpy-init") as console:
        console.line(b"up as")
        os.kill(console.init, signal.SIGTERM)
        console.line(b"svpy-init: warning: unable to reboot: permission denied")
        assert console.wait() == 0


@alone
def test_there_may_be_no_console_at_first(machine: Machine) -> None:
    """/dev has one when rc.init has mounted it."""
    machine.write("rc.init", "mount --bind /etc/svpy/console /dev/console")
    (machine.scripts / "console").touch()
    machine.services.make("one", SAYS_UP)
    before = 'mount --bind "$SCRIPTS" "$SCRIPTS"; mkdir -p "$ROOT"\n'
    quiet = ("/bin/sh", "-c", f": >/dev/console; exec {BIN}/svpy-init <&- >&- 2>&-")
    with machine.start(*quiet, before=before) as console:
        said = machine.scripts / "console"
        eventually(lambda: b"up as" in said.read_bytes(), "the service speaks on the console")
        os.kill(console.init, signal.SIGTERM)
        assert console.death() is signal.SIGHUP
        assert b"rc.shutdown was told: reboot" in said.read_bytes()
