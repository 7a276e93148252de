"""Synthetic images of pedestrians, for trying the package without a dataset.

This package needs only numpy; writing images needs Pillow. `appearance` holds looks and labels of
a person, `pose` the skeleton; `figure` puts a person on a canvas, and `body` draws one; `places`
draws background and obstacles; `camera` takes the image. Everything is drawn with `shapes`.
"""

from typing import TYPE_CHECKING

from keras_osnet._utils import lazy

if TYPE_CHECKING:
    from keras_osnet.synthetic.folder import write_synthetic_people
    from keras_osnet.synthetic.people import synthetic_people, synthetic_person

__getattr__, __dir__, __all__ = lazy.attach(__name__)
