"""Buffers: the arrays of a training run in flat form, and who may overwrite them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from polylux import arrays
from polylux.backend import Backend
from polylux.errors import DeviceError, GivenAwayError
from polylux.flat import Layout
from polylux.optimizers import Rule
from polylux.selectors import ADType

Arrays = tuple[Any, ...]


class Buffers:
    """Parameters and optimizer slots of one moment of a run; shared by states that agree on them.

    Attributes
    ----------
    layout : Layout
    carry : sequence of two
        `trainable` and `slots`, as tuples or as a backend's steps return them.
    trainable, fixed : tuple of arrays
    slots : tuple of tuples of arrays, or None before the first update
    count : int
        Updates made so far.
    placed : tuple of backend name and selector, or None
        Where the arrays are known to be; None while they are as the user gave them.
    owned : bool
        Whether no user's variable is among these arrays, so that a `_` step may overwrite them.
    exposed : bool
        Whether a user has read the parameters from a train state.
    given_to : str or None
        Name of the `_` function that has overwritten them.
    """

    __slots__ = (
        "_samples", "carry", "count", "exposed", "fixed", "given_to", "layout", "owned", "placed",
    )  # fmt: skip

    def __init__(
        self,
        layout: Layout,
        carry: Sequence[Any],
        fixed: Arrays,
        count: int,
        placed: tuple[str, ADType] | None = None,
        owned: bool = False,
    ) -> None:
        self.layout = layout
        self.carry = carry
        self.fixed = fixed
        self.count = count
        self.placed = placed
        self.owned = owned
        self.exposed = False
        self.given_to: str | None = None
        self._samples: Arrays | None = None

    @property
    def trainable(self) -> Arrays:
        """The parameters; see the class."""
        return self.carry[0]  # type: ignore[no-any-return]  # as every backend's carry

    @property
    def slots(self) -> tuple[Arrays, ...] | None:
        """The slots; see the class."""
        return self.carry[1]  # type: ignore[no-any-return]  # as above

    @property
    def has_slots(self) -> bool:
        """Whether there are slots; a backend's own form of a carry, which has, is not opened."""
        return type(self.carry) is not tuple or self.carry[1] is not None

    def require_present(self) -> None:
        """Raise if a `_` step has overwritten these arrays."""
        if self.given_to is not None:
            raise GivenAwayError(
                f"the arrays of this train state were given to {self.given_to}, which reuses their "
                f"buffers; go on with the state that {self.given_to} returned, or use "
                f"{self.given_to.rstrip('_')} to keep this one"
            )

    def on(self, backend: Backend, selector: ADType) -> Buffers:
        """These buffers with their arrays in `backend`; the same object if they are there."""
        if is_at(self.placed, backend, selector):
            return self
        trainable, slots = self.carry
        groups = (trainable, self.fixed, *(slots or ()))
        moved = [arrays.move(group, backend, selector) for group in groups]
        check_devices([a for group in moved for a in group], backend, selector, "parameters")
        before = [a for group in groups for a in group]
        after = [a for group in moved for a in group]
        stayed = [a is b for a, b in zip(before, after, strict=True)]
        # As tuples: a form that one selector's steps keep need not suit another's.
        carry = (moved[0], None if slots is None else tuple(moved[2:]))
        if all(stayed):
            self.carry, self.fixed, self.placed = carry, moved[1], (backend.name, selector)
            return self
        # What was moved is nobody else's; what stayed may still be the user's.
        owned = self.owned or not any(stayed)
        place = (backend.name, selector)
        return Buffers(self.layout, carry, moved[1], self.count, place, owned)

    def init_slots(self, rule: Rule, xp: Any) -> None:
        """Make the first slots, of which there are none yet."""
        self.carry = (self.trainable, rule.init(xp, self.trainable))

    def own(self, backend: Backend, selector: ADType, others: Arrays) -> Buffers:
        """Buffers that may be overwritten: these, or copies where a user may hold them.

        `others` are the further arrays of the call: a parameter that was read from the state and
        came back as data must not be overwritten while it is read.
        """
        if self.owned and not (
            self.exposed and {id(a) for a in self.trainable}.intersection(map(id, others))
        ):
            return self
        copied = tuple(backend.copy(self.trainable, selector))
        slots = self.slots
        if slots is not None:
            slots = tuple(tuple(backend.copy(group, selector)) for group in slots)
        return Buffers(
            self.layout, (copied, slots), self.fixed, self.count, self.placed, owned=True
        )

    def samples(self, xp: Any) -> Arrays:
        """An empty array of each trainable dtype, and the fixed ones: enough to know the precision.

        They stay the same for the whole run, so that no step has to look at each leaf.
        """
        if self._samples is None:
            firsts: dict[Any, Any] = {}
            for array in self.trainable:
                firsts.setdefault(array.dtype, array)
            # Flat first: what has no axis, or 10 of them, has no empty slice along the first.
            empty = [xp.reshape(array, (-1,))[:0] for array in firsts.values()]
            self._samples = (*empty, *self.fixed)
        return self._samples

    def updated(self, carry: Sequence[Any]) -> Buffers:
        """The buffers after one update."""
        new = Buffers(self.layout, carry, self.fixed, self.count + 1, self.placed, owned=True)
        new._samples = self._samples
        return new


def is_at(placed: tuple[str, ADType] | None, backend: Backend, selector: ADType) -> bool:
    """Whether arrays that were put there are where this backend's selector wants them."""
    return placed is not None and placed[0] == backend.name and (
        placed[1] is selector or placed[1] == selector
    )


def check_devices(present: list[Any], backend: Backend, selector: ADType, what: str) -> None:
    """Raise `DeviceError` if arrays live on more than one device."""
    devices = {backend.device(a) for a in present}
    if len(devices) > 1:
        raise DeviceError(
            f"the {what} are on several devices, {', '.join(sorted(devices))}; put them on one, "
            f"with to_backend(tree, {type(selector).__name__}(device={sorted(devices)[0]!r}))"
        )
