"""One file per command: argv and environment in, exit code out."""
