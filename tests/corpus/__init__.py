"""Run scripts as the world has them: a folder for each pattern, and in patterns.py what must be observed."""
