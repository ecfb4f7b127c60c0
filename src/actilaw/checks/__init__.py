"""Does the theory hold for a layer? Tests with effect sizes, intervals and verdicts in words."""
