"""The network to draw, from the options of a command."""

from typing import TYPE_CHECKING

from keras_osnet.cli.console import waiting
from keras_osnet.cli.keras_import import import_keras

if TYPE_CHECKING:
    import keras


def build(
    weights: str | None,
    *,
    width: float | None,
    variant: str | None,
    size: tuple[int, int] | None,
) -> "keras.Model":
    """Build the network that weights are of, or an untrained one."""
    import_keras()
    from keras_osnet.models import OSNet, open_checkpoint

    with waiting("Building …"):
        if weights is not None:
            checkpoint = open_checkpoint(weights, width=width, variant=variant)
            return checkpoint.build(image_size=size)[0]
        return OSNet(
            1.0 if width is None else width,
            variant=variant or "base",
            head="embedding",
            input_shape=None if size is None else (*size, 3),
        )
