"""Settings for every test: property tests are never timed, and try the same cases unless FOEDUS_LONG is set."""

import os

from hypothesis import settings

settings.register_profile("foedus", deadline=None, derandomize="FOEDUS_LONG" not in os.environ)
settings.load_profile("foedus")
