"""`nexum dev`: everything on one machine, and old code that lives on until its runs have ended.

One parent that imports none of your code keeps three kinds of children, each a process that may be killed: the dashboard, a
scheduler, and one worker for each build. When a file changes, a new worker builds what the files say, registers that very
import, and serves it; if it cannot be built, its findings are shown and everything stays as it is. The worker before, which
still has the old code in memory, serves on until no run is left on versions that only it knows.

The parent's death takes the children with it, however it dies. Files: `offspring` a child and its end · `child` what runs
inside one · `web` the dashboard's server · `bench` a worker that registers what it was built from · `workshop` who is running and
who may leave.
"""
