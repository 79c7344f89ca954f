"""How a folder is left: what is told to which half, and when."""

from svpy.core.leaving import Leaving, Seen


def test_the_logger_is_told_when_its_service_has_gone_and_its_pipe_is_empty() -> None:
    leaving = Leaving(logger_is_file=False)
    looks = [
        (Seen(True, True, 0), (b"dx", b"")),
        (Seen(True, True, 9), (b"", b"")),
        (Seen(False, True, 9), (b"", b"co")),
        (Seen(False, True, 4), (b"", b"")),
        (Seen(False, True, 0), (b"", b"dx")),
        (Seen(False, True, 0), (b"", b"")),
        (Seen(False, False, 0), (b"", b"")),
    ]
    assert [leaving.letters(seen) for seen, _ in looks] == [said for _, said in looks]
    assert [seen.is_left for seen, _ in looks] == [False] * 6 + [True]


def test_what_is_taken_up_again_is_told_again() -> None:
    leaving = Leaving(logger_is_file=False)
    looks = [Seen(True, False), Seen(False, True), Seen(False, False), Seen(True, True), Seen(False, True)]
    assert [leaving.letters(seen) for seen in looks] == [
        (b"dx", b""), (b"", b"dx"), (b"", b""), (b"dx", b""), (b"", b"dx"),
    ]  # fmt: skip


def test_a_logger_that_is_a_file_follows_by_itself() -> None:
    leaving = Leaving(logger_is_file=True)
    assert leaving.letters(Seen(True, True)) == (b"dx", b"")
    assert leaving.letters(Seen(False, True)) == (b"", b"")
