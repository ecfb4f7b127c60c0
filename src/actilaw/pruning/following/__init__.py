"""Which parameters hold a unit, and along which axis: followed through the operations of a model
while it runs, as a dependency graph (Fang et al. 2023, arXiv 2301.12900) of single units.

`axis_graph` joins entries of axes, `labels` says which entries a tensor holds, `rules` how they go
through operations, and `follower` sees every operation.
"""
