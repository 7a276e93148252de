"""From nothing to a tested, exported network in a few minutes, and a page that shows it.

journey   the steps, one after the other
people    a user's own people
search    what a network finds
figures   the pictures of the page
report    the page
"""

from typing import TYPE_CHECKING

from keras_osnet._utils import lazy

if TYPE_CHECKING:
    from keras_osnet.quickstart.journey import Journey, quickstart
    from keras_osnet.quickstart.report import write_report
    from keras_osnet.quickstart.search import Found

__getattr__, __dir__, __all__ = lazy.attach(
    __name__,
    {
        "Found": "keras_osnet.quickstart.search",
        "Journey": "keras_osnet.quickstart.journey",
        "quickstart": "keras_osnet.quickstart.journey",
        "write_report": "keras_osnet.quickstart.report",
    },
)
