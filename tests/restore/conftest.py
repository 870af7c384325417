"""One thread for the tests of this room; modes that no failing test leaves behind."""

from ..no_trace.conftest import _one_thread  # noqa: F401  # an autouse fixture
