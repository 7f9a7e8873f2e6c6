"""Where the golden numbers and the real images lie: beside the checkout, or where HDRQ_SHARED says."""

from __future__ import annotations

import os
from pathlib import Path

SHARED = Path(os.environ.get("HDRQ_SHARED", Path(__file__).parents[2] / "shared"))
