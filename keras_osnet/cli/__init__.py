"""The command `keras-osnet`, on top of all other packages.

A command parses, calls the library and prints. Keras is imported inside the commands that need it,
so that `--help` is quick.
"""

import signal
import sys
from importlib.util import find_spec

_NEEDED = {"click": "click", "rich": "rich", "PIL": "pillow"}
"""Modules and distribution names of the additional requirements of the command line."""


def main() -> None:
    """Run the command line; the console script `keras-osnet`."""
    missing = [name for module, name in _NEEDED.items() if find_spec(module) is None]
    if missing:
        print(
            f"Error: the command line needs {', '.join(missing)}, which this Python lacks. "
            'Install with: pip install "keras-osnet[cli]"',
            file=sys.stderr,
        )
        sys.exit(1)
    try:
        from keras_osnet.cli.application import application
        from keras_osnet.cli.quiet import hold_back_noise, open_closed_streams

        open_closed_streams()
        hold_back_noise()
        application(prog_name="keras-osnet")
    except KeyboardInterrupt:  # before the command begins, or after it
        sys.exit(128 + signal.SIGINT)
