"""`python -m mm_memgpt` is `mm-memgpt`."""

import sys

from mm_memgpt.cli import main

sys.exit(main())
