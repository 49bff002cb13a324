"""Its presence puts this folder on the path, so that every test may say ``from twins import``."""

import os

from hypothesis import HealthCheck, settings

# A busy machine is slow at making examples too, and no test asserts a time. The same tests have the
# same verdict everywhere; who looks for new counterexamples sets HFTBOT_EXPLORE=1.
settings.register_profile("steady", deadline=None, suppress_health_check=[HealthCheck.too_slow],
                          derandomize=os.environ.get("HFTBOT_EXPLORE") != "1")
settings.load_profile("steady")
