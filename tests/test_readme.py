"""README's table of deliberate differences is complete: each row has its tests, and each scenario that
differs from C has its row."""

from __future__ import annotations

import fnmatch
import re
import subprocess
import sys
from pathlib import Path

import pytest

TESTS = Path(__file__).parent
README = TESTS.parent / "README.md"

ROWS: dict[str, tuple[str, ...]] = {
    "processes": ("oracle/test_svscan.py::*differs-processes]",),
    "loggers whose `run` is known in advance (`exec setuidgid u multilog …`)": (
        "oracle/test_both_ways.py::*",
        "daemon/test_natives.py::test_loggers_share_one_process_that_looks_like_a_logger",
        "daemon/test_natives.py::test_with_the_option_everything_is_executed",
    ),
    "a `run` that only executes a program (`exec tinydns`)": ("oracle/test_without_sh.py::*",),
    "a change in /service": (
        "oracle/test_svscan.py::*differs-a-change-is-seen-at-once]",
        "daemon/test_svscan.py::test_what_nobody_tells_of_is_found_in_five_seconds",
    ),
    "number of services": (
        "oracle/test_svscan.py::*differs-more-than-a-thousand]",
        "daemon/test_svscan.py::test_no_cap_and_the_soft_limit_stays_the_services_own",
    ),
    "`log/` added later": ("oracle/test_svscan.py::*differs-a-log-that-comes-later]",),
    "`log` that is no folder": (
        "oracle/test_svscan.py::*differs-a-log-that-is-a-file]",
        "daemon/test_extras.py::test_log_may_be_a_file*",
    ),
    "executable `start`, `stop` or `notify` in a folder": (
        "daemon/test_extras.py::test_start_runs_once_and_stop_once*",
        "daemon/test_extras.py::test_notify_is_told_of_every_process",
    ),
    "a `run` that exits 100": ("daemon/test_extras.py::test_what_failed_is_not_started_again_by_itself*",),
    "a folder without `run`, just being made": (
        "oracle/test_svscan.py::*differs-run-missing]",
        "daemon/test_svscan.py::test_a_folder_being_made_is_left_until_it_has_its_run",
    ),
    "a dangling link, a held lock": (
        "oracle/test_svscan.py::*differs-a-lock-that-is-held]",
        "daemon/test_svscan.py::test_what_is_no_service_is_ignored",
    ),
    "a `run` without `#!`": (
        "oracle/test_supervise.py::*differs-run-without-an-interpreter-line]",
        "corpus/test_corpus.py::*",
    ),
    "a `run` that cannot be started": (
        "oracle/test_supervise.py::*differs-run-is-a-folder]",
        "oracle/test_supervise.py::*differs-run-leads-nowhere]",
        "oracle/test_supervise.py::*differs-run-missing]",
        "oracle/test_supervise.py::*differs-run-not-executable]",
        "oracle/test_supervise.py::*differs-run-without-its-interpreter]",
    ),
    "no process to be had for a start": (
        "core/test_service.py::test_a_failed_start_costs_one_warning_and_a_wait*",
    ),
    "the second between starts": ("daemon/test_supervise.py::test_a_time_set_back_does_not_stop_a_service",),
    "svscan or supervise killed": (
        "oracle/test_supervise.py::*differs-taken-over-after-a-kill]",
        "daemon/test_adoption.py::test_a_service_and_its_logger_go_on",
        "daemon/test_adoption.py::test_supervise_takes_over_as_well",
    ),
    "a newer version": ("daemon/test_upgrade.py::test_everything_is_the_same_after_it",),
    "an orphan": ("boot/test_container.py::test_an_orphan_becomes_its_child_and_is_reaped*",),
    "control during a start's second": ("oracle/test_supervise.py::*differs-told-in-its-first-second]",),
    "letters that come together": ("oracle/test_supervise.py::*differs-told-to-leave-and-then-up]",),
    "TERM or INT to svscan": (
        "oracle/test_svscan.py::*differs-terminated]",
        "oracle/test_svscan.py::*differs-interrupted]",
    ),
    "TERM or INT to supervise": (
        "oracle/test_supervise.py::*differs-terminated-itself]",
        "oracle/test_supervise.py::*differs-interrupted-itself]",
    ),
    "QUIT, PWR or RTMIN+3 to svscan": ("boot/test_container.py::test_it_is_stopped_in_order_under_any_pid*",),
    "HUP to svscan": ("daemon/test_svscan.py::test_hup_scans_now",),
    "`--log-stdout`, `--no-native`, `--stop-timeout`, `--events` before svscan's folder": (
        "core/test_svscan_words.py::test_words*",
        "daemon/test_events.py::test_a_day_of_a_svscan_is_told",
        "daemon/test_relay.py::*",
        "daemon/test_stop.py::test_a_deadline_for_all",
    ),
    "`stop-timeout` or `essential` in a folder": (
        "daemon/test_stop.py::test_what_does_not_go_down_in_time_is_killed",
        "daemon/test_essential.py::test_everything_stops_in_order_with_its_code*",
    ),
    "`ready` or `needs` in a folder": (
        "daemon/test_ready.py::*",
        "daemon/test_needs.py::*",
    ),
    "a read-only /service": ("boot/test_container.py::test_a_service_runs_where_nothing_can_be_written",),
    "what a service manager says to svscan (NOTIFY_SOCKET and the like)": (
        "daemon/test_manager.py::test_what_a_manager_says_to_svscan_does_not_reach_services*",
    ),
    "a negative oom_score_adj": (
        "daemon/test_manager.py::test_services_have_another_score_than_svscan_and_it_keeps_its_own",
        "system/test_children.py::test_a_score_is_the_childs_and_ours_stays",
        "boot/test_systemd_machine.py::*",
    ),
    "a starter's blocked signals, a full stderr": (
        "daemon/test_svscan.py::test_a_signal_mask_is_not_inherited",
        "daemon/test_svscan.py::test_a_full_stderr_holds_up_nobody",
    ),
    "a starter's ignored signals (nohup)": (
        "oracle/test_supervise.py::*differs-a-service-sees-ignored-signals]",
    ),
    "svscanboot": (
        "oracle/test_svscanboot.py::*differs-a-missing-folder]",
        "oracle/test_svscanboot.py::*differs-two-folders]",
    ),
    "`NAME --help`, that word alone": ("test_man.py::test_a_page_says_what_its_command_says*",),
    "svc": (
        "oracle/test_svc.py::*differs-*letter*]",
        "oracle/test_supervise.py::*differs-the-letters-of-encore]",
    ),
    "svstat without folders": ("commands/test_svstat.py::test_without_folders_it_is_all_of_service",),
    "`svstat -l`, `--json`, `--check`": (
        "commands/test_svstat.py::test_an_option_that_stands_alone_is_a_folder_if_there_is_one*",
        "daemon/test_natives.py::test_plain_svstat_is_as_ever_and_a_folder_may_be_called_l",
    ),
    "svstat of an unreadable status": ("oracle/test_svstat.py::*differs-status-is-a-folder]",),
    "symlinks and files planted in `supervise/`": (
        "oracle/test_svc.py::*differs-control-is-a-*]",
        "oracle/test_svok.py::*differs-ok-is-a-*]",
        "oracle/test_svstat.py::*differs-status-is-a-symlink]",
        "oracle/test_supervise.py::*differs-control-is-a-file]",
        "oracle/test_supervise.py::*differs-lock-is-a-symlink]",
    ),
    "multilog, tai64n: labels": (
        "oracle/test_multilog.py::*differs-one-label-a-read]",
        "oracle/test_tai64n.py::*differs-one-label-a-read]",
    ),
    "multilog: where a file ends": ("oracle/test_multilog.py::*differs-where-a-file-ends]",),
    "multilog `T` as the first action": (
        "commands/test_multilog_accustamp.py::test_every_line_has_the_time_it_was_read_at*",
    ),
    "multilog: symlinks planted in a log folder": (
        "oracle/test_multilog_folders.py::*differs-*-is-a-link-to-*]",
    ),
    "multilog: what a warning says": (
        "oracle/test_multilog_folders.py::*differs-an-old-file-that-cannot-be-removed]",
        "oracle/test_multilog.py::*differs-processor-crashes]",
    ),
    "multilog: a `previous` that its processor removed": (
        "oracle/test_multilog.py::*differs-processor-removes-previous]",
    ),
    "multilog: TERM or ALRM while a processor runs": (
        "oracle/test_multilog_signals.py::*differs-*-while-nothing-is-read]",
    ),
    "multilog: `e` that nobody reads, a file size limit": (
        "oracle/test_multilog_folders.py::*differs-e-to-who-reads-no-more]",
        "oracle/test_multilog_folders.py::*differs-file-size-limit]",
    ),
    "multilog: `e` with descriptors 1 and 2 closed": (
        "oracle/test_multilog_folders.py::*differs-status-file-is-descriptor-2]",
    ),
    "multilog: twelve descriptors": ("oracle/test_multilog_folders.py::*differs-twelve-descriptors]",),
    "multilog: what a processor sees": ("oracle/test_multilog.py::*differs-processor-sees-all]",),
    "tai64nlocal on labels beyond the calendar": ("oracle/test_tai64nlocal.py::*differs-crash-*]",),
    "readproctitle started by a path": (
        "oracle/test_readproctitle.py::*differs-called-by-its-path-without-environment]",
    ),
    "a folder as stdin": (
        "oracle/test_multilog_folders.py::*differs-stdin-is-a-folder]",
        "oracle/test_tai64n.py::*differs-a-folder]",
        "oracle/test_tai64nlocal.py::*differs-a-folder]",
        "oracle/test_readproctitle.py::*differs-a-folder]",
    ),
    "a chain such as `setuidgid u envdir e prog`": (
        "oracle/test_chains.py::*differs-descriptors-for-one-tool]",
        "oracle/test_softlimit.py::*differs-small-memory-before-a-tool]",
        "commands/test_chain_plan.py::test_a_chain_of_our_own_costs_one_execve",
    ),
    "`softlimit -m` before multilog": (
        "commands/test_chain_plan.py::test_multilog_at_the_end_runs_in_the_same_process",
    ),
    "a tool started by a link of another name": ("oracle/test_softlimit.py::*differs-other-name]",),
    "ignored SIGPIPE and SIGXFSZ": (
        "oracle/test_surroundings.py::*differs-*-ignored-SIGPIPE]",
        "oracle/test_tai64n.py::*differs-nobody-reads-sigpipe-ignored]",
    ),
    "LC_CTYPE without /proc": ("oracle/test_surroundings.py::*differs-without-proc-LC_CTYPE=C]",),
    "envdir on a dangling link": ("oracle/test_envdir.py::*differs-dangling-links]",),
    "`envdir -f FILE`": ("commands/test_envdir_file.py::test_only_the_word_f_itself_is_no_folder_any_more*",),
    "setuidgid, envuidgid: `UID:GID` or a UID": (
        "commands/test_accounts.py::test_numbers_in_setuidgid_and_envuidgid*",
    ),
    "setuser, svup": (
        "commands/test_accounts.py::test_setuser_is_the_account_with_all_its_groups_at_home",
        "commands/test_svup.py::test_it_follows_a_service",
    ),
}
"""The first cell of each row, and what shows it: patterns of test ids below tests/."""


@pytest.fixture(scope="module")
def ids() -> list[str]:
    """Every test there is, its path beginning below tests/."""
    words = [
        sys.executable,
        "-I",
        "-m",
        "pytest",
        "--collect-only",
        "-q",
        "-p",
        "no:cacheprovider",
        str(TESTS),
    ]
    said = subprocess.run(
        words, cwd=TESTS.parent, capture_output=True, text=True, timeout=120, check=True
    ).stdout
    return [line.removeprefix("tests/") for line in said.splitlines() if "::" in line]


def shows(pattern: str, ids: list[str]) -> set[str]:
    # Brackets are part of an id, not a choice of letters.
    return set(fnmatch.filter(ids, pattern.replace("[", "[[]")))


def test_each_row_has_its_tests_and_each_has_its_row() -> None:
    table = README.read_text().partition("\n## Where svpy deliberately differs")[2].partition("\n## ")[0]
    firsts = [line.split(" | ")[0].removeprefix("| ") for line in table.splitlines() if line.startswith("| ")]
    rows = [first for first in firsts if first.strip(" -|") and not first.startswith("**")]
    assert rows == list(ROWS)


def test_each_pattern_matches_a_test(ids: list[str]) -> None:
    assert [pattern for patterns in ROWS.values() for pattern in patterns if not shows(pattern, ids)] == []


def test_each_scenario_that_differs_belongs_to_one_row(ids: list[str]) -> None:
    rows_of: dict[str, list[str]] = {name: [] for name in ids if re.search(r"\[(.*-)?differs-", name)}
    assert len(rows_of) > 90
    for row, patterns in ROWS.items():
        for name in set().union(*(shows(pattern, ids) for pattern in patterns)) & rows_of.keys():
            rows_of[name].append(row)
    assert {name: rows for name, rows in rows_of.items() if len(rows) != 1} == {}
