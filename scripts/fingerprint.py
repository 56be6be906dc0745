"""Make ``tsprout/data/corpus/fingerprints.npz``: hashes, and no values, of the evaluation sets that are here.

python scripts/fingerprint.py
"""

from __future__ import annotations

import numpy as np

from tsprout.data.catalog.entry import catalogue
from tsprout.data.catalog.sets import find, load_set
from tsprout.data.corpus.guard import FINGERPRINTS, fingerprint


def main() -> None:
    prints = {}
    for entry in catalogue().of_role("eval"):
        # Anybody may train on series of their own that happen to be sines.
        if find(entry) is None or entry.source.generator == "sine":
            print(f"{entry.name}: not here, recognised by name only")
            continue
        real = load_set(entry.name)
        prints[entry.name] = fingerprint(real.recordings or list(real.instances()[0]))
        print(f"{entry.name}: {len(prints[entry.name]):,} hashes")
    np.savez_compressed(FINGERPRINTS, **prints)


if __name__ == "__main__":
    main()
