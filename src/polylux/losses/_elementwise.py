"""ElementwiseLoss, the base of losses whose items are a rule's, entry by entry."""

from __future__ import annotations

import dataclasses
from abc import abstractmethod
from typing import Any

from polylux.losses._base import Loss
from polylux.losses._kernels import mean_of_items
from polylux.rules import CustomRule


@dataclasses.dataclass(frozen=True, repr=False, kw_only=True)
class ElementwiseLoss(Loss):
    """A loss of one item for each element, by a rule that says its value and its slope."""

    def __post_init__(self) -> None:
        super().__post_init__()
        object.__setattr__(self, "_fused", self.agg == "mean")

    @abstractmethod
    def _rule(self, epsilon: float) -> tuple[CustomRule, dict[str, Any]]:
        """The rule and its settings; `epsilon` is the one that `_items` gets."""

    def _items(self, xp: Any, prediction: Any, target: Any, epsilon: float) -> Any:
        rule, settings = self._rule(epsilon)
        return rule(prediction, target, **settings)

    def _mean(self, prediction: Any, target: Any) -> Any:
        rule, settings = self._rule(self._epsilon(prediction.dtype))
        return mean_of_items(prediction, target, rule, **settings)
