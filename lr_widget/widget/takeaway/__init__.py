"""The result as one takes it away: a script, a page, a table."""

from .page import NamedRun
from .pages import Pages
from .script import Choice, rate_code, script
from .table import table

__all__ = ["Choice", "NamedRun", "Pages", "rate_code", "script", "table"]
