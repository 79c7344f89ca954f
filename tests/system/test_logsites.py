"""The log folders of a service's logger: by its script, by what its process holds, by a reading with care."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest
from support.processes import Running, eventually
from support.services import PEERS, Services, script, svscan

from svpy.core.logwords import MOST_BYTES
from svpy.system.logsites import log_folders

SLOW = "while :; do echo x; sleep 1000; done"


def asked(folder: Path, pid: int = 0) -> list[str]:
    return [os.fsdecode(path) for path in log_folders(os.fsencode(folder), pid)]


def test_a_logger_of_each_kind_under_svscan(tmp_path: Path) -> None:
    services = Services(tmp_path)
    elsewhere = tmp_path / "elsewhere"
    logs = {
        "native": "exec multilog t ./main",
        "twin": "exec multilog t ./main",
        "chain": "exec softlimit -m 300000000 setuidgid root multilog t ./main ./more",
        "executed": "exec </dev/stdin multilog t ./main ./more",
        "variable": f"WHERE=$(echo {elsewhere}); mkdir -p $WHERE; exec multilog t $WHERE",
        "below": 'set -- ./own; multilog t "$1"',
        "pipeline": "tai64n | multilog ./main; :",
        "none": "exec cat >/dev/null",
        "conditional": "[ -e x ] && exec multilog ./x; exec multilog ./y",
    }
    for name, text in logs.items():
        services.make(name, SLOW, text)
    services.make("without", SLOW)
    with svscan(services):
        for name in logs:
            services.up(f"{name}/log")
        seen = {name: services.folder / name / "log" for name in logs}
        for path in (seen["native"] / "main", seen["executed"] / "more", elsewhere, seen["below"] / "own",
                     seen["pipeline"] / "main", seen["conditional"] / "y"):  # fmt: skip
            eventually((path / "current").stat, f"{path}")
        found = {name: asked(services.folder / name, services.pid(f"{name}/log")) for name in logs}
        # A script that has changed since, and a process that logs for others, too.
        script(services.folder / "native/log/run", "exec multilog ./$NEW")
        assert asked(services.folder / "native", services.pid("native/log")) == []
        assert asked(services.folder / "without") == []
    assert found == {
        "native": [f"{seen['native']}/main"],
        "twin": [f"{seen['twin']}/main"],
        "chain": [f"{seen['chain']}/main", f"{seen['chain']}/more"],
        "executed": [f"{seen['executed']}/main", f"{seen['executed']}/more"],
        "variable": [str(elsewhere)],
        "below": [f"{seen['below']}/own"],
        "pipeline": [f"{seen['pipeline']}/main"],
        "none": [],
        "conditional": [f"{seen['conditional']}/y"],
    }


def test_a_logger_that_is_a_file_and_one_that_is_a_link(tmp_path: Path) -> None:
    script(tmp_path / "log", "exec multilog t ./main /a/")
    assert asked(tmp_path) == [f"{tmp_path}/main", "/a"]
    (tmp_path / "log").rename(tmp_path / "shared")
    (tmp_path / "service").mkdir()
    (tmp_path / "logs").mkdir()
    (tmp_path / "logs/run").symlink_to(tmp_path / "shared")
    (tmp_path / "service/log").symlink_to(tmp_path / "logs")
    assert asked(tmp_path / "service") == [f"{tmp_path}/service/log/main", "/a"]


def test_paths_are_absolute(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a/log").mkdir(parents=True)
    script(tmp_path / "a/log/run", "exec multilog .//x/./y ./ ../up/")
    monkeypatch.chdir(tmp_path)
    here = os.fsencode(tmp_path) + b"/a/log"
    assert log_folders(b"a", 0) == log_folders(b"./a/", 0) == [here + b"/x/y", here, here + b"/../up"]


@pytest.mark.parametrize(
    "what", ["nothing", "loop", "fifo", "device", "folder", "long", "unreadable", "binary"]
)
def test_what_is_no_script_names_nothing(tmp_path: Path, what: str) -> None:
    (tmp_path / "log").mkdir()
    run = tmp_path / "log/run"
    if what == "loop":
        run.symlink_to(run)
    elif what == "fifo":
        os.mkfifo(run)
    elif what == "device":
        run.symlink_to("/dev/zero")
    elif what == "folder":
        run.mkdir()
    elif what == "long":
        script(run, "exec multilog ./main\n#" + MOST_BYTES * "-")
    elif what == "unreadable":
        run.symlink_to("/proc/self/mem")
    elif what == "binary":
        shutil.copy("/bin/true", run)
    before = os.listdir("/proc/self/fd")
    assert asked(tmp_path) == asked(tmp_path / "gone") == asked(tmp_path, 2**22 + 1) == []
    assert asked(Path(os.fsdecode(b"\xff" * 5000))) == []
    assert os.listdir("/proc/self/fd") == before


@pytest.mark.skipif(not (PEERS / "multilog").exists(), reason="no C daemontools in SVPY_PEERS")
def test_what_a_multilog_of_another_maker_holds(tmp_path: Path) -> None:
    (tmp_path / "log").mkdir()
    script(tmp_path / "log/run", "exec something")
    with Running(PEERS / "multilog", "t", tmp_path / "b", tmp_path / "a", stdin=-1) as multilog:
        eventually((tmp_path / "a/current").stat)
        assert asked(tmp_path, multilog.pid) == [f"{tmp_path}/b", f"{tmp_path}/a"]
        # Its folder is another one's by now.
        (tmp_path / "a").rename(tmp_path / "c")
        (tmp_path / "a").mkdir()
        assert asked(tmp_path, multilog.pid) == [f"{tmp_path}/b", f"{tmp_path}/c"]
