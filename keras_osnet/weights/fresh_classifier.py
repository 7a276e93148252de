"""What is said when a checkpoint's classifier does not go into a model."""

import warnings


def why_classifier_differs(stored: int | None, wanted: int | None) -> str | None:
    """Compare the classes of a checkpoint's classifier and a model's, None for no classifier.

    Returns:
        None if they agree, otherwise how they differ.
    """
    if stored == wanted:
        return None
    if stored is None:
        return f"the checkpoint has no classifier, the model one of {wanted} classes"
    if wanted is None:
        return f"the checkpoint has a classifier of {stored} classes, the model none"
    return f"the checkpoint's classifier has {stored} classes, the model's {wanted}"


def warn_fresh_classifier(model: str, difference: str) -> None:
    """Warn that a model's classifier keeps its initial values."""
    warnings.warn(
        f"The classifier of {model} was not loaded and keeps its initial values: {difference}.",
        stacklevel=4,
    )
