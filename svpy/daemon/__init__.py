"""trio: wait for something, ask core, let system do it."""
