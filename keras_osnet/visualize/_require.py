"""What drawing needs besides numpy, imported when it is used."""

from functools import partial

from keras_osnet._utils import optional

require = partial(optional.require, extra="visualize")
