"""Its presence puts this folder on the path, so that every test may say ``from twins import``."""

from hypothesis import HealthCheck, settings

# A busy machine is slow at making examples too, and no test asserts a time.
settings.register_profile("untimed", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("untimed")
