"""Studies: real networks, trained there and then, to see what the theory says of them. Needs torch and scikit-learn."""

from actilaw.errors import needs_extra

with needs_extra("demo"):
    from actilaw.study.tasks import Task, digits
    from actilaw.study.training import evaluate, learning_curve, train

__all__ = ["Task", "digits", "evaluate", "learning_curve", "train"]
