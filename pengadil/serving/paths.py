"""The paths that the service answers at."""

from __future__ import annotations

CHECK, JUDGE = "/v1/check", "/v1/judge"
HEALTH, METRICS, OPENAPI = "/health", "/metrics", "/openapi.json"
PATHS = (CHECK, JUDGE, HEALTH, METRICS, OPENAPI)
# Those that need the judge; the others answer even when there is too much to do.
LIMITED = (CHECK, JUDGE)
ALL = f"POST {CHECK}, POST {JUDGE}, GET {HEALTH}, GET {METRICS}, GET {OPENAPI}"
