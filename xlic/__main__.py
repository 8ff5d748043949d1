"""``python -m xlic`` is the ``xlic`` command."""

import sys

from xlic.cli.main import main

if __name__ == "__main__":
    sys.exit(main())
