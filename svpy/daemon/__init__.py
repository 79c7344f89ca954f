"""trio: wait for something, ask core, let system do it."""

from svpy.daemon.parts import import_trio

try:
    import_trio()
except Exception:
    pass  # Whoever needs it imports it and says so; PID 1 of a machine can end it without.
