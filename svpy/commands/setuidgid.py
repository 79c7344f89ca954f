"""setuidgid: run a program under an account's uid and gid, with no other groups."""

from svpy.commands import chain_loader


def main() -> None:
    chain_loader(b"setuidgid")
