"""envuidgid: run a program with an account's uid and gid in the variables UID and GID."""

from svpy.commands import chain_loader


def main() -> None:
    chain_loader(b"envuidgid")
