"""How a folder is left: what is told to which half, and when."""

from svpy.core.leaving import Leaving, Present


def test_the_logger_is_told_when_its_service_has_gone_and_its_pipe_is_empty() -> None:
    leaving = Leaving(logger_is_file=False)
    looks = [
        (Present(True, True, 0), (b"dx", b"")),
        (Present(True, True, 9), (b"", b"")),
        (Present(False, True, 9), (b"", b"co")),
        (Present(False, True, 4), (b"", b"")),
        (Present(False, True, 0), (b"", b"dx")),
        (Present(False, True, 0), (b"", b"")),
        (Present(False, False, 0), (b"", b"")),
    ]
    assert [leaving.letters(seen) for seen, _ in looks] == [said for _, said in looks]
    assert [seen.is_left for seen, _ in looks] == [False] * 6 + [True]


def test_what_is_taken_up_again_is_told_again() -> None:
    leaving = Leaving(logger_is_file=False)
    halves = [(True, False), (False, True), (False, False), (True, True), (False, True)]
    looks = [Present(service, logger) for service, logger in halves]
    assert [leaving.letters(seen) for seen in looks] == [
        (b"dx", b""), (b"", b"dx"), (b"", b""), (b"dx", b""), (b"", b"dx"),
    ]  # fmt: skip


def test_a_logger_that_is_a_file_follows_by_itself() -> None:
    leaving = Leaving(logger_is_file=True)
    assert leaving.letters(Present(True, True)) == (b"dx", b"")
    assert leaving.letters(Present(False, True)) == (b"", b"")
