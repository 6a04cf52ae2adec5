"""Start a run and follow it: from Python, in the caller's own transaction when there is one."""
