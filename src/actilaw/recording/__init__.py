"""Recording: from a running network, or from arrays, to counts of its units' activations.

`record` begins. `layers` chooses where to look, `criteria` says what activated means, `hooks` see
what layers return, `forward_passes` and `accumulator` count it by the `kernels`.
"""
