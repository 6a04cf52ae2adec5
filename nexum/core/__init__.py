"""The pure core: what a graph means, what a run is, and what follows from what has happened.

The theory in ten sentences. A *graph* is data: nodes, where their inputs come from, and the conditions between them.
A *run* is a list of *events*, appended one at a time, never changed. `fold(state, event)` turns events into a state and
needs neither graph nor clock, because every event carries what was resolved when it was decided. `decide(graph, state,
now)` compares the state with the graph and names what follows; each answer is itself an event. A *fact* comes from
outside (a handler returned, a timer fired) and carries a dedupe key; a *decision* comes from `decide` and carries none.
One fact is folded, then `decide` is asked until it has nothing to say, before the next fact is looked at. So the facts
alone re-create every decision, byte for byte. A *cell* is one visit of one node: (path, visit, item). A cell has at most
one terminal event. Nothing here reads a clock, a random number, a file or a socket: those come in as arguments.

Read next: `run/transitions.py` (the table), `run/fold.py`, `run/decide.py`.
"""
