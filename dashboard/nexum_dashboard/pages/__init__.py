"""The pages. Each asks a readout for its view-model and renders it as HTML, or, with `.json`, as the model itself.

A page never writes. `respond` is what all share: who may look, what is said when something is wrong, the headers. A page
that changes has a `live` twin, which answers 204 when nothing has, a fragment when something has, and 286 at the end.
"""
