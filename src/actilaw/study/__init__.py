"""Studies of the theory on real networks, trained for the purpose. Importing this room loads no
torch.

`checks` asks whether the theory holds for one layer; a study asks it across networks. So far there
is `networks`, which trains and records them. Not written yet: `grids`, which trains a grid of
tasks, widths, training-set sizes and seeds and keeps the census and the loss of each cell; and
`claims`, one function per claim that needs such a grid, which returns an estimate, its interval and
a verdict.
"""
