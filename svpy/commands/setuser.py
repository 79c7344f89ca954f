"""setuser: run a program with an account's ids and groups, in its home and with the variables of a login."""

from svpy.commands import chain_loader


def main() -> None:
    chain_loader(b"setuser")
