"""Studies of the theory on real networks, trained for the purpose. Importing this room loads no
torch.

`actilaw.study.networks` trains the networks and records them. Two more parts will stand beside it
once they are built: `grids`, which trains a grid of tasks, widths, training-set sizes and seeds and
keeps the census and the loss of each cell; and `claims`, one function per claim of the theory, each
of which takes a grid and returns an estimate, its interval and a verdict.
"""
