"""From a model and its census to a smaller model."""
