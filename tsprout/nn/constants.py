"""Small constant tensors, each made once for every device.

To make one where it is needed is to copy it there, and for a copy from ordinary memory the host waits until an
accelerator has done all it was told before.
"""

from __future__ import annotations

from functools import lru_cache

import torch
from torch import Tensor


@lru_cache(maxsize=4096)
def constant(values: tuple[float, ...], device: torch.device) -> Tensor:
    """``values`` as float32 ``(1, len(values))``; not to be written to."""
    with torch.inference_mode(False):
        return torch.tensor([values], dtype=torch.float32).to(device)
