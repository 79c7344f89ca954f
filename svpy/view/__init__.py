"""What is shown in a terminal while it changes. The only layer that knows textual."""
