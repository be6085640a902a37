"""Generic secrets: what no provider's format gives away, only names, surroundings and the value."""

from __future__ import annotations

from airlock.leaks.generic.candidate import Candidate
from airlock.leaks.generic.find import candidates
from airlock.leaks.generic.placeholders import placeholder
from airlock.leaks.generic.rules import RULES
from airlock.leaks.generic.triggers import TRIGGERS

__all__ = ["RULES", "TRIGGERS", "Candidate", "candidates", "placeholder"]
