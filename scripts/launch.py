"""Run ``airlock`` from the tree this file is in, under the environment of `bootstrap.py`.

``python -I`` puts neither the workspace nor this folder on the path, so a file of the checkout
cannot shadow a module; this adds the one folder that holds the package.
"""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

from airlock.__main__ import main

sys.exit(main())
