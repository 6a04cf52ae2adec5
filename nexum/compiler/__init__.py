"""The compiler: reads handlers, never runs them, and turns what an author declared into a graph.

The theory. A workflow is *declared* as plain values (`declared`): which function is a node of which kind, under which
name, with which options, and where that was written. Compiling is a walk over those values in order of declaration.
A parameter's name says where its value comes from (`binding`); annotations become JSON Schemas (`annotations`), and what
a source gives must be accepted by what a parameter takes. Conditions and keys are expressions over names; a typed
reference (`references`) is only another way to write one, so there is one parser and one checker (`conditions`).
Types are the join rule: who needs a value that may be absent may itself be skipped (`skips`). The source of a handler
is read as a syntax tree: which fields it reads (`reads`), what it must not call (`purity`), and what identifies its code
(`fingerprint`). Every check yields diagnostics and none stops at the first; `build` runs them all and emits the graph
only when none of them is an error. Two spellings of one workflow give the same graph, byte for byte.

Nothing here touches a database, a broker or a clock; user code is imported by others, and called by nobody here.
"""
