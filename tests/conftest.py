"""What holds for all tests."""

from hypothesis import settings

# A deadline is a timed assertion, and machines that are busy would fail it.
settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")
