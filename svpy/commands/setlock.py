"""setlock: run a program while a file is locked."""

from svpy.commands import chain_loader


def main() -> None:
    chain_loader(b"setlock")
