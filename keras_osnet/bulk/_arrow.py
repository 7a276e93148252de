"""pyarrow, imported on first use."""

from typing import Any

from keras_osnet._utils.optional import require


def arrow(part: str | None = None) -> Any:
    """Return the module `pyarrow`, or one of its parts, such as `pyarrow.parquet`.

    Raises:
        ImportError: It is not installed; the message says how to install it.
    """
    name = "pyarrow" if part is None else f"pyarrow.{part}"
    return require(name, "Bulk embedding", "parquet")
