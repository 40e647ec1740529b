"""Hypothesis: a short profile for every day, `HYPOTHESIS_PROFILE=thorough` for the night."""

from __future__ import annotations

import os

from hypothesis import HealthCheck, settings

_slow = (HealthCheck.too_slow, HealthCheck.data_too_large)
settings.register_profile("tickets", max_examples=40, deadline=None, suppress_health_check=_slow, derandomize=True)
settings.register_profile("thorough", max_examples=2000, deadline=None, suppress_health_check=_slow)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "tickets"))
