"""The array-API namespace of the backend's arrays, plain and traced."""

from __future__ import annotations

from polylux_autograd import array_api

NAMESPACE = array_api
