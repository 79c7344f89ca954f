"""Processes that svscan has made for itself, and forks instead of executing: no trio, no policy.

They start light, as a multilog does: what they import is what is copied into every one of them."""
