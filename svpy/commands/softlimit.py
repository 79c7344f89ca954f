"""softlimit: run a program with new soft resource limits."""

from svpy.commands import chain_loader


def main() -> None:
    chain_loader(b"softlimit")
