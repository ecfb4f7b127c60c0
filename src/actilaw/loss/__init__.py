"""From losses to a fitted loss curve with its uncertainty."""
