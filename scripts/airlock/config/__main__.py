"""``python -m airlock.config`` prints the JSON Schema that ``schema/airlock.json`` publishes."""

from __future__ import annotations

import json
import sys

from airlock.config.schema import schema

sys.stdout.write(json.dumps(schema(), indent=2) + "\n")
