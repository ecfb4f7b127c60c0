"""Where the values of a tensor come from, followed through the functions of PyTorch: which samples,
positions and units, and which modules made them.

`tracer` sees every function, `origins` are what is known of a tensor, `axes` what its axes mean.
"""
