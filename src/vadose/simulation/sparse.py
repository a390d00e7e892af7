"""Writing of a few pixels of a global HDF5 variable: only chunks with such pixels are written."""

import zlib
from dataclasses import dataclass
from functools import lru_cache

import h5py
import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, eq=False)
class Scatter:
    """Positions of values in variables of one shape and chunking, compressed with shuffle and deflate.

    Attributes:
        chunk: shape of a chunk; leading dimensions are 1.
        corners: offset of each chunk with a pixel, (chunk, dimension).
        member: chunk of each pixel, (pixel,).
        inside: position of each pixel in its chunk, (pixel,).
    """

    chunk: tuple[int, ...]
    corners: NDArray[np.intp]
    member: NDArray[np.intp]
    inside: NDArray[np.intp]

    @classmethod
    def of(cls, rows: NDArray[np.intp], columns: NDArray[np.intp], chunk: tuple[int, ...]) -> "Scatter":
        """Return the positions of pixels at these rows and columns."""
        height, width = chunk[-2:]
        found, member = np.unique(np.stack([rows // height, columns // width]), axis=1, return_inverse=True)
        corners = np.zeros((found.shape[1], len(chunk)), np.intp)
        corners[:, -2:] = found.T * (height, width)
        return cls(chunk, corners, member.ravel(), (rows % height) * width + columns % width)

    def write(self, variable: h5py.h5d.DatasetID, values: NDArray[np.generic], fill: float) -> None:
        """Write values, (pixel,), of the variable's type into its unwritten chunks; their rest is `fill`."""
        size = int(np.prod(self.chunk))
        chunks = np.full((len(self.corners), size), fill, values.dtype)
        chunks[self.member, self.inside] = values
        shuffled = np.ascontiguousarray(chunks.view(np.uint8).reshape(len(chunks), size, -1).swapaxes(1, 2))
        for corner, chunk in zip(self.corners.tolist(), shuffled, strict=True):
            variable.write_direct_chunk(tuple(corner), _deflated(chunk.tobytes()))


@lru_cache(maxsize=4096)
def _deflated(content: bytes) -> bytes:
    """Return compressed chunks, cached: many, as those of coordinates and flags, are equal every day."""
    return zlib.compress(content, 1)
