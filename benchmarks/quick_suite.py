"""How long the suites take: 1000 real against 1000 synthetic series of 24 steps and 7 channels.

    python benchmarks/quick_suite.py --suite quick

Seconds say little on a shared machine; the target is 20 s for the quick suite on two cores.
"""

from __future__ import annotations

import argparse
import json
import time

import numpy as np

from tsprout.metrics.suites import score_suite


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--suite", default="quick")
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    rng = np.random.default_rng(0)
    real, made = rng.standard_normal((2, 1000, 7, 24)).cumsum(axis=-1)
    for _ in range(options.rounds):
        wall, processor = time.perf_counter(), time.process_time()
        score_suite(real, made, shots=real[:10], name=options.suite)
        print(
            json.dumps(
                {
                    "seconds": round(time.perf_counter() - wall, 1),
                    "processor": round(time.process_time() - processor, 1),
                }
            )
        )


if __name__ == "__main__":
    main()
