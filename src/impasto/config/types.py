"""Types that every package shares."""

from collections.abc import Callable
from typing import Annotated

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

#: Images, uint8 RGB: (H, W, 3), or (N, H, W, 3).
Pixels = NDArray[np.uint8]
#: float32: one image's channels, maps or a field of them; the shape stands where it is used.
Floats = NDArray[np.float32]
#: One feature vector an image, float32 (N, D).
Features = NDArray[np.float32]
#: Measurements, float64; the shape stands where it is used.
Values = NDArray[np.float64]

Positive = Annotated[float, Field(gt=0)]
NotNegative = Annotated[float, Field(ge=0)]
Fraction = Annotated[float, Field(ge=0, lt=1)]
Share = Annotated[float, Field(ge=0, le=1)]
#: Channels of a network's maps.
Width = Annotated[int, Field(ge=4, le=4096)]

#: Called with how many items are done, and of how many if that is known.
Progress = Callable[[int, int | None], object]
