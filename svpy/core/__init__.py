"""Every decision, on plain values: no OS calls, no clocks, no trio."""
