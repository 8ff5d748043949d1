"""Coding of images with TensorFlow's transforms and tensorflow-compression's range coder.

These are the reference for every other implementation of the codec. Streams are those of the
public script: any of the two reads the other's, given the same model.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from xlic.entropy import codec, tfci
from xlic.entropy.tables import EntropyTables
from xlic.errors import FormatError, InputError
from xlic.images import UInt8Image
from xlic.rungs.tensorflow import TensorFlowRung
from xlic.tfmodel.backend import backend
from xlic.weights import Weights

MAX_PIXELS = 1 << 25
"""Largest image: TensorFlow holds whole feature maps, some 100 bytes per pixel."""


class TensorFlowCodec:
    """Images to ``.tfci`` files and back."""

    def __init__(self, weights: Weights) -> None:
        """Build the network.

        Raises:
            InputError: the weights have no entropy tables.
            MissingToolError: TensorFlow is absent.
        """
        if weights.tables is None:
            raise InputError("these weights have no entropy tables; extract them from a model")
        self._rung = TensorFlowRung(weights)
        self._tables = weights.tables
        self._coder = entropy_coder(weights.tables)

    def compress(self, image: UInt8Image) -> bytes:
        """The ``.tfci`` file of a uint8 ``(H, W, 3)`` image.

        Raises:
            InputError: it is no such image, or one of more than :data:`MAX_PIXELS`.
        """
        _check_size(*image.shape[:2])
        symbols = self._rung.analyze(image).output
        return self.pack(symbols, (image.shape[0], image.shape[1]))

    def decompress(self, data: bytes) -> UInt8Image:
        """The picture of a ``.tfci`` file.

        Raises:
            FormatError: it is damaged, or was made with another model.
            InputError: it is larger than :data:`MAX_PIXELS`.
        """
        symbols, size = self.unpack(data)
        picture: UInt8Image = self._rung.synthesize(symbols, size).output
        return picture

    def pack(self, symbols: NDArray[np.int32], size: tuple[int, int]) -> bytes:
        """Code symbols ``(h, w, N)`` of an image of this height and width."""
        tf, tfc = backend()
        string = self._coder.compress(tf.constant(symbols[None], "float32"))
        packed = tfc.PackedTensors()
        packed.pack([string, tf.constant(size), tf.constant(symbols.shape[:2])])
        data: bytes = packed.string
        return data

    def unpack(self, data: bytes) -> tuple[NDArray[np.int32], tuple[int, int]]:
        """Decode symbols; also the image's height and width. Errors as :meth:`decompress`."""
        tf = backend().tf
        content = tfci.unpack(data)
        _check_size(*content.image_size)
        try:
            decoded = self._coder.decompress(
                tf.constant([content.string]), tf.constant(content.symbol_size)
            )
        except tf.errors.OpError as error:
            raise FormatError(
                f"damaged stream: {_first_line(error)}; get the file again, or use the model that "
                "it was made with"
            ) from error
        symbols: NDArray[np.int32] = decoded.numpy()[0].astype(np.int32)
        if content.checksum not in (None, codec.checksum(symbols, content.image_size)):
            raise FormatError(
                f"damaged stream: its {symbols.size} symbols do not match its checksum; get the "
                "file again, or use the model that it was made with"
            )
        return symbols, content.image_size


def entropy_coder(tables: EntropyTables) -> Any:
    """tensorflow-compression's entropy model over these tables, for integer symbols as float32.

    The quantization offset is left to the transforms. Symbols beyond ±2**24 are not exact.
    """
    tf, tfc = backend()
    rows = [
        part
        for row, length in zip(tables.cdf, tables.cdf_length, strict=True)
        for part in (np.array([-tables.precision], np.int32), row[:length])
    ]
    return tfc.ContinuousBatchedEntropyModel(
        prior_shape=(tables.channels,),
        coding_rank=3,
        compression=True,
        stateless=True,
        cdf=tf.constant(np.concatenate(rows)),
        cdf_offset=tf.constant(tables.cdf_offset),
        bottleneck_dtype=tf.float32,
        offset_heuristic=False,
    )


def _check_size(height: int, width: int) -> None:
    if height * width > MAX_PIXELS:
        raise InputError(
            f"an image of {width}×{height} pixels is too large for TensorFlow here, which takes "
            f"{MAX_PIXELS}; use `xlic encode` and `xlic decode`"
        )


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]
