"""Conv: a convolution over one, two or three axes, and an activation."""

from __future__ import annotations

import dataclasses
from typing import Any

from polylux.errors import DomainError, ShapeError
from polylux.layers import _settings, _windows
from polylux.layers._initializers import Initializer, glorot_uniform, zeros
from polylux.layers._parameters import Parametric, Shape, aligned
from polylux.layers._settings import Activation
from polylux.layers._windows import Lengths, Padding
from polylux.ops import convolution
from polylux.typing import PyTree


@dataclasses.dataclass(frozen=True, repr=False)
class Conv(Parametric):
    """`activation(convolution(x, weight) + bias)`, for `x` of shape (batch, channels, *lengths).

    Its parameters are `{"weight": (out_channels, in_channels // groups, *kernel),
    "bias": (out_channels,)}`, as in torch; it has no states. The axes are the mirror of Lux's
    (W, H, C, N). The kernel is not flipped: as in torch, JAX and Keras, and other than in Lux, the
    convolution is a cross-correlation.

    Parameters
    ----------
    kernel : tuple of int
        Its lengths along the one, two or three spatial axes.
    in_channels, out_channels : int
        Lengths of the channel axis of the input and the output.
    activation : str or callable, optional
        Elementwise: a name (see `polylux.ops.activation`) or a function of one array.
    stride : int or tuple of int
        Steps from one window to the next.
    padding : {"valid", "same"}, int, or tuple of ints and pairs of ints
        Zeros around each spatial axis; a pair is (before, after). With "same" the output has
        `ceil(length / stride)` entries along an axis, and an odd zero goes to the end, as in
        TensorFlow and XLA (for stride 1 that is torch's "same").
    dilation : int or tuple of int
        Steps between the entries of a window.
    groups : int
        In so many parts are channels split, each output seeing one part only.
    use_bias : bool
        Whether there is a bias.
    init_weight, init_bias : callable
        `init(rng, shape)` returns the initial values.

    Raises
    ------
    ShapeError
        When called with an input that does not fit.

    References
    ----------
    V. Dumoulin and F. Visin, A guide to convolution arithmetic for deep learning,
    arXiv:1603.07285, chapter 2.

    Examples
    --------
    >>> import numpy as np
    >>> from polylux.layers import setup
    >>> layer = Conv((3, 3), 3, 16, "relu", stride=2, padding="same")
    >>> ps, st = setup(np.random.default_rng(0), layer)
    >>> y, _ = layer(np.ones((5, 3, 28, 28), dtype=np.float32), ps, st)
    >>> y.shape, layer.parameter_count()
    ((5, 16, 14, 14), 448)
    """

    kernel: tuple[int, ...]
    in_channels: int
    out_channels: int
    activation: Activation = None
    stride: Lengths = dataclasses.field(default=1, kw_only=True)
    padding: Padding = dataclasses.field(default=0, kw_only=True)
    dilation: Lengths = dataclasses.field(default=1, kw_only=True)
    groups: int = dataclasses.field(default=1, kw_only=True)
    use_bias: bool = dataclasses.field(default=True, kw_only=True)
    init_weight: Initializer = dataclasses.field(default=glorot_uniform, kw_only=True)
    init_bias: Initializer = dataclasses.field(default=zeros, kw_only=True)
    # (kernel, stride, pairs of padding or None for "same", dilation)
    _window: tuple[Any, ...] = dataclasses.field(default=(), init=False, repr=False, compare=False)
    _activate: Any = dataclasses.field(default=None, init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        kernel = _windows.window(self, "kernel", self.kernel)
        object.__setattr__(self, "kernel", kernel)
        for name in ("in_channels", "out_channels", "groups"):
            object.__setattr__(self, name, _settings.length(self, name, getattr(self, name)))
        if self.in_channels % self.groups or self.out_channels % self.groups:
            raise DomainError(
                f"Conv(groups={self.groups}) must divide in_channels={self.in_channels} and "
                f"out_channels={self.out_channels}"
            )
        stride, strides = _windows.steps(self, "stride", self.stride, len(kernel))
        dilation, dilations = _windows.steps(self, "dilation", self.dilation, len(kernel))
        padding, pairs = _windows.pads(self, self.padding, len(kernel))
        object.__setattr__(self, "stride", stride)
        object.__setattr__(self, "dilation", dilation)
        object.__setattr__(self, "padding", padding)
        object.__setattr__(self, "_window", (kernel, strides, pairs, dilations))
        _settings.flag(self, "use_bias", self.use_bias)
        for name in ("init_weight", "init_bias"):
            _settings.initializer(self, name, getattr(self, name))
        given, function = _settings.activated(self, self.activation)
        object.__setattr__(self, "activation", given)
        object.__setattr__(self, "_activate", function)

    def _shapes(self) -> dict[str, Shape]:
        per_group = self.in_channels // self.groups
        shapes: dict[str, Shape] = {"weight": (self.out_channels, per_group, *self.kernel)}
        if self.use_bias:
            shapes["bias"] = (self.out_channels,)
        return shapes

    def __call__(self, x: Any, ps: PyTree, st: PyTree, /) -> tuple[Any, PyTree]:
        _, stride, padding, dilation = self._window
        try:
            weight = ps["weight"]
            bias = ps["bias"] if self.use_bias else None
            if x.dtype != weight.dtype:
                x, weight, bias = aligned(self, x, weight, bias)
            if padding is None:
                padding = _windows.pairs_for(self, x.shape, *self._window)
            y = convolution(x, weight, bias, stride, padding, dilation, self.groups)
        except Exception as error:
            self._explain(error, (x,), ps)
            raise
        return y if self._activate is None else self._activate(y), st

    def output_shape(self, input_shape: Shape, /) -> Shape:
        lengths = _windows.lengths_after(self, input_shape, *self._window)
        if input_shape[1] != self.in_channels:
            raise ShapeError(
                f"{self!r} needs an input of {self.in_channels} channels, got shape "
                f"{tuple(input_shape)}"
            )
        return (input_shape[0], self.out_channels, *lengths)
