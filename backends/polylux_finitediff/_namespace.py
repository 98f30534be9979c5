"""The array-API namespace: array_api_compat.numpy as it is."""

from __future__ import annotations

import array_api_compat.numpy

NAMESPACE = array_api_compat.numpy
