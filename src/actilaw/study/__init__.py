"""Studies of the theory on real networks, trained for the purpose. Importing this room loads no
torch.

`checks` asks whether the theory holds for one layer; a study asks it across networks. A `grid` of
tasks, widths, training-set sizes and seeds is made of `cells`, each a training; `run` trains those
that are missing, `store` keeps what came of them, and `table` sets it side by side. `readings` fits
every cell, and `claims` has one function per claim of the paper, which returns figures, intervals
and verdicts. `problems` are the built-in tasks; `networks` has architectures and data.
"""
