"""The texts on a picture, by RapidOCR: where they are, and what they say. Its models come with its package."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np
from numpy import typing as npt
from rapidocr import RapidOCR
from rapidocr.ch_ppocr_rec import TextRecInput

from devstack.textract.rules import Picture

LEAST_SIDE: Final = 5
LEAST_SURE: Final = 0.3
"""What is less sure is no text."""
SETTINGS: Final[Mapping[str, object]] = {
    "Global.log_level": "error",
    "Global.use_cls": False,
    "Global.max_side_len": 2000,
    "EngineConfig.onnxruntime.intra_op_num_threads": 1,
    "EngineConfig.onnxruntime.inter_op_num_threads": 1,
}


class Texts:
    def __init__(self) -> None:
        self._engine = RapidOCR(params=SETTINGS)

    def quads(self, picture: Picture) -> list[npt.NDArray[np.float64]]:
        """The four corners of each text."""
        found = self._engine(picture, use_det=True, use_rec=False, use_cls=False).boxes
        return [] if found is None else [np.asarray(corners, np.float64) for corners in found]

    def read(self, pieces: Sequence[Picture]) -> dict[int, tuple[str, float]]:
        """What each piece says, if it says something, and how sure that is."""
        large = [index for index, piece in enumerate(pieces) if min(piece.shape[:2]) >= LEAST_SIDE]
        if not large:
            return {}
        # All at once, which its public face offers for whole pictures only.
        recogniser = self._engine._load_rec_model()
        read = recogniser(TextRecInput(img=[np.ascontiguousarray(pieces[index]) for index in large]))
        said = zip(large, read.txts, read.scores, strict=True)
        return {index: (text, float(sure)) for index, text, sure in said if text.strip() and sure > LEAST_SURE}
