"""pgrphack: run a program in a session and process group of its own."""

from svpy.commands import chain_loader


def main() -> None:
    chain_loader(b"pgrphack")
