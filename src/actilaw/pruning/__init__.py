"""From a model and its census to a smaller model: plan what goes, remove it, verify the result."""
