"""envdir: run a program with an environment changed by the files of a folder."""

from svpy.commands import chain_loader


def main() -> None:
    chain_loader(b"envdir")
