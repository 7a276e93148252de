"""The model that `embed` and `evaluate` work with."""

from typing import TYPE_CHECKING

from keras_osnet.cli.console import waiting, warn
from keras_osnet.cli.keras_import import import_keras
from keras_osnet.cli.options import RANDOM

if TYPE_CHECKING:
    import keras


def load_embedder(
    weights: str,
    *,
    width: float | None,
    variant: str | None,
    size: tuple[int, int] | None,
    normalize: bool = False,
) -> "keras.Model":
    """Build the network that turns pixels into vectors, from the options of a command."""
    import_keras()
    from keras_osnet.models import OSNet, open_checkpoint

    with waiting(f"Loading {weights} …"):
        if weights == RANDOM:
            warn("--weights random: the network is not trained, its vectors mean nothing.")
            return OSNet(
                1.0 if width is None else width,
                variant=variant or "base",
                head="embedding",
                input_shape=None if size is None else (*size, 3),
                normalize=normalize,
                include_preprocessing=True,
            )
        checkpoint = open_checkpoint(weights, width=width, variant=variant)
        model, _ = checkpoint.build(
            head="embedding",
            image_size=size or checkpoint.embedding_size,
            normalize=normalize,
            include_preprocessing=True,
        )
        return model
