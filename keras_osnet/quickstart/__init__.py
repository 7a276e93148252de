"""Fine-tune, test and export a model in a few minutes, with a report."""

from typing import TYPE_CHECKING

from keras_osnet._utils import lazy

if TYPE_CHECKING:
    from keras_osnet.quickstart.quickstart import QuickstartResult, quickstart
    from keras_osnet.quickstart.report import write_report

__getattr__, __dir__, __all__ = lazy.attach(
    __name__,
    {
        "QuickstartResult": "keras_osnet.quickstart.quickstart",
        "quickstart": "keras_osnet.quickstart.quickstart",
        "write_report": "keras_osnet.quickstart.report",
    },
)
