"""The picture of a graph, drawn by the server: no library in the browser, no script, the same picture everywhere.

`layers` decides who stands where: longest-path layers, invisible stand-ins where an edge passes a layer, barycentre sweeps
against crossings, then positions that pull each node towards its neighbours. `svg` gives that a size and a direction,
left to right or top down, measures and cuts texts, and bends the edges. Both are pure; the template only writes them out.
"""
