"""`nexum dev`: everything on one machine, and old code that lives on until its runs have ended.

One parent that imports none of your code keeps four kinds of children, each a process that may be killed: the dashboard, a
scheduler, and one worker for each build. When a file changes, a fresh process builds and registers; if that fails, its
findings are shown and everything stays as it is. If it succeeds, a new worker is started for the new versions, and the old
one, which still has the old code in memory, serves on until no run is left on versions that only it knows.

The parent's death takes the children with it, however it dies. Files: `offspring` a child and its end · `child` what runs
inside one · `web` the dashboard's server · `building` build and register in a fresh process · `workshop` who is running and
who may leave.
"""
