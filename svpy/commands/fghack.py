"""fghack: run a program that puts itself into the background, and wait for it all the same."""

from svpy.commands import chain_loader


def main() -> None:
    chain_loader(b"fghack")
