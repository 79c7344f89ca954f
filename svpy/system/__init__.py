"""One small function per thing asked of Linux: no policy, no trio."""
