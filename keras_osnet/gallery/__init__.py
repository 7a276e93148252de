"""A gallery of people's embeddings on disk or on an object store, searched by similarity.

It needs neither Keras nor a server: `pip install "keras-osnet[gallery]"`.
"""

from typing import TYPE_CHECKING

from keras_osnet._utils import lazy

if TYPE_CHECKING:
    from keras_osnet.gallery.average_tracklets import average_tracklets
    from keras_osnet.gallery.errors import GalleryError
    from keras_osnet.gallery.find_visits import Visit, find_visits
    from keras_osnet.gallery.gallery import Gallery
    from keras_osnet.gallery.row_images import read_row_images
    from keras_osnet.gallery.search_page import write_search_page
    from keras_osnet.gallery.timeline_page import write_timeline_page

__getattr__, __dir__, __all__ = lazy.attach(__name__)
