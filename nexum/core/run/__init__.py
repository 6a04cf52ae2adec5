"""The life of one run: what can happen (`events`), what is known (`state`), what is legal (`transitions`), what follows.

`fold` takes an event and never looks at the graph; `decide` takes the graph's plan and the state and returns the next
group of decisions, each of them an event body. Reads best in the order transitions, fold, ready, decide.
"""
