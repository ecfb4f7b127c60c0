"""A local web page on which the activation law can be moved, and laid over what was counted."""
