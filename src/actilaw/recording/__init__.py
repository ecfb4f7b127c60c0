"""From a running network to counts of its activations."""
