"""The scheduler: it does what nobody else will, again and again, and never calls a handler.

Workers decide for themselves what follows from a result; what is left is what has no author any more: a timer that falls
due, mail whose author died before it was folded, tasks of dead processes, tasks that nobody was told of. Each of these is
a rule of `nexum.engine.sweep`, safe to be applied by any number of schedulers at once. The scheduler applies them every
second, watches sessions whose parents died too (`sessions`), and keeps its own session alive.

A process is declared dead only when three clocks agree (`sessions`); a scheduler that hangs ends itself (`health`).
"""
