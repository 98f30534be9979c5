"""The array API standard, version 2024.12, on arrays that HIPS autograd differentiates."""

from __future__ import annotations

import math as _math

from . import _operators as _operators
from . import fft as fft
from . import linalg as linalg
from ._arithmetic import *  # noqa: F403
from ._array import Array as Array
from ._array import Box as Box
from ._broadcasting import broadcast_arrays as broadcast_arrays
from ._broadcasting import broadcast_to as broadcast_to
from ._broadcasting import meshgrid as meshgrid
from ._casting import astype as astype
from ._casting import can_cast as can_cast
from ._casting import finfo as finfo
from ._casting import iinfo as iinfo
from ._casting import isdtype as isdtype
from ._casting import result_type as result_type
from ._creation import *  # noqa: F403
from ._dtypes import DTYPES as _DTYPES
from ._elementwise import *  # noqa: F403
from ._indexing import take as take
from ._indexing import take_along_axis as take_along_axis
from ._info import __array_namespace_info__ as __array_namespace_info__
from ._linear_products import matmul as matmul
from ._linear_products import matrix_transpose as matrix_transpose
from ._linear_products import tensordot as tensordot
from ._linear_products import vecdot as vecdot
from ._manipulation import *  # noqa: F403
from ._reductions import *  # noqa: F403
from ._searching import *  # noqa: F403
from ._sorting_sets import *  # noqa: F403

__array_api_version__ = "2024.12"

e = _math.e
inf = _math.inf
nan = _math.nan
newaxis = None
pi = _math.pi

bool = _DTYPES["bool"]
int8 = _DTYPES["int8"]
int16 = _DTYPES["int16"]
int32 = _DTYPES["int32"]
int64 = _DTYPES["int64"]
uint8 = _DTYPES["uint8"]
uint16 = _DTYPES["uint16"]
uint32 = _DTYPES["uint32"]
uint64 = _DTYPES["uint64"]
float16 = _DTYPES["float16"]  # beyond the standard
float32 = _DTYPES["float32"]
float64 = _DTYPES["float64"]
complex64 = _DTYPES["complex64"]
complex128 = _DTYPES["complex128"]
