"""svpy: supervises Unix services the way D. J. Bernstein's daemontools does."""

__version__ = "0.1.0"
