"""Recording: from a running network, or from arrays, to counts of its units' activations.

`record` begins. `layers` chooses where to look, `criteria` says what activated means. `observer`
watches the network run: it sees calls of modules by `module_calls` and functions by `tracing`,
knows from these which samples and units a tensor holds (`arrangement`), and hands it to the counts
of its place (`counted_place`, `counted_layer`, `accumulator`), which the `kernels` make.
"""
