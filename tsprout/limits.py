"""What any model here can be asked for: said once, for the network, for files, for options and for benchmarks."""

from __future__ import annotations

MIN_LENGTH, MAX_LENGTH = 4, 1024  # time steps
MAX_CHANNELS = 256
MAX_GUIDANCE = 5.0
