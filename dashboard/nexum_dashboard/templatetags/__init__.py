"""What templates need beyond Django's own: times, sizes, and the marks of standings and states."""
