"""The result as one takes it away: a script, a page, a table."""

from .lines import Choice, rate_code
from .names import is_of_the_user
from .page import NamedRun
from .pages import Pages
from .script import script
from .table import table
from .trainers import trainer_script

__all__ = ["Choice", "NamedRun", "Pages", "is_of_the_user", "rate_code", "script", "table", "trainer_script"]
