"""The choice of a rate: suggestions, rule and pick, and the ways on where there is none."""

from .advice import Advice, advice
from .selection import DEFAULT_RULE, NO_RATE, PROBE_RULE, Selection

__all__ = ["DEFAULT_RULE", "NO_RATE", "PROBE_RULE", "Advice", "Selection", "advice"]
