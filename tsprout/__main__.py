"""``python -m tsprout`` is the command line."""

import sys

from tsprout.cli import main

if __name__ == "__main__":
    sys.exit(main())
