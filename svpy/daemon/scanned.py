"""What scans have cost, kept where svpy-exporter finds it (core/scans.py)."""

from __future__ import annotations

from svpy.core.scans import NAME, Scans, decode, encode
from svpy.system import replacing


class Scanned:
    """Without a file, `fd` is -1 then, nobody can know."""

    def __init__(self) -> None:
        self.fd = -1
        self._scans = Scans()

    def open(self) -> None:
        """Go on with the file that was handed over, or make one. A host without it is as good as any."""
        try:
            if self.fd < 0:
                self.fd = replacing.memory_file(NAME)
            else:
                self._scans = decode(replacing.read(self.fd)) or Scans()
        except OSError:
            self.fd = -1

    def add(self, began_mono_s: float, ended_mono_s: float) -> None:
        """One more."""
        self._scans.add(began_mono_s, ended_mono_s)
        if self.fd >= 0:
            replacing.rewrite(self.fd, encode(self._scans))
