"""From counts to a fitted law with its uncertainty."""
