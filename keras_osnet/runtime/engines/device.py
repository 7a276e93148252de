"""The devices that engines compute on, as users name them."""

import re
from dataclasses import dataclass
from typing import Any

NUMBERED = ("cuda", "tensorrt", "directml")
"""Kinds of which there may be several: "cuda:1" is the second."""

_PLAIN = ("auto", "cpu", "coreml", *NUMBERED)


@dataclass(frozen=True)
class Device:
    """A device.

    Attributes:
        kind: "auto", "cpu", "cuda", "tensorrt", "coreml", "directml" or "openvino".
        place: Which of several: the number of a kind in `NUMBERED`, or OpenVINO's own name, such
            as "GPU.1"; "" for other kinds.
    """

    kind: str
    place: str = ""

    def __str__(self) -> str:
        return f"{self.kind}:{self.place}" if self.place else self.kind

    @classmethod
    def parse(cls, name: Any) -> "Device":
        """Read a device's name, as `Embedder` takes it.

        Raises:
            ValueError: It is not the name of a device.

        Example:
            >>> from keras_osnet.runtime.engines.device import Device
            >>> str(Device.parse("cuda")), Device.parse("openvino:gpu").place
            ('cuda:0', 'GPU')
        """
        if isinstance(name, str):
            kind, _, place = name.partition(":")
            if name in _PLAIN:
                return cls(name, "0" if name in NUMBERED else "")
            if kind in NUMBERED and re.fullmatch(r"\d{1,3}", place):
                return cls(kind, str(int(place)))
            if kind == "openvino" and re.fullmatch(r"[A-Za-z]+(\.\d+)*", place):
                return cls(kind, place.upper())
        raise ValueError(
            f"`device` must be one of {', '.join(_PLAIN)}; with a number for one of several, "
            'such as "cuda:1"; or OpenVINO\'s name, such as "openvino:GPU". '
            f"Received: {name!r}"
        )
