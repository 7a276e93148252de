"""What exporting needs besides Keras, imported when it is used."""

from functools import partial

from keras_osnet._utils import optional

require = partial(optional.require, extra="deploy")
check_installed = partial(optional.check_installed, extra="deploy")
