"""The losses by torch's own functions where it has them, else by hand; True marks its own."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F

EPS = torch.finfo(torch.float32).eps


def msle(p: Any, t: Any) -> Any:
    return (torch.log((p + EPS) / (t + EPS)) ** 2).mean()


def hinge(p: Any, t: Any) -> Any:
    return torch.relu(1 - t * p).mean()


def squared_hinge(p: Any, t: Any) -> Any:
    return (torch.relu(1 - t * p) ** 2).mean()


def siamese(p: Any, t: Any) -> Any:
    return ((1 - t) * p**2 + t * torch.relu(1 - p) ** 2).mean()


def poisson(p: Any, t: Any) -> Any:
    return F.poisson_nll_loss(p, t, log_input=False, eps=EPS)


def binary_focal(p: Any, t: Any) -> Any:
    right = t * (p + EPS) + (1 - t) * (1 - p + EPS)
    return (-((1 - right) ** 2) * torch.log(right)).mean()


def cross_entropy(p: Any, t: Any) -> Any:
    return -(t * torch.log(p + EPS)).sum(-1).mean()


def focal(p: Any, t: Any) -> Any:
    shifted = p + EPS
    return -(t * (1 - shifted) ** 2 * torch.log(shifted)).sum(-1).mean()


def kl(p: Any, t: Any) -> Any:
    return F.kl_div(torch.log(p + EPS), t, reduction="batchmean")


def dice(p: Any, t: Any) -> Any:
    both = (p * t).sum(-1)
    return (1 - (2 * both + 1) / ((p * p).sum(-1) + (t * t).sum(-1) + 1)).mean()


FUNCTIONS: dict[str, tuple[Callable[[Any, Any], Any], bool]] = {
    "MSE": (F.mse_loss, True),
    "MAE": (F.l1_loss, True),
    "Huber": (F.huber_loss, True),
    "MSLE": (msle, False),
    "Poisson": (poisson, True),
    "Hinge": (hinge, False),
    "SquaredHinge": (squared_hinge, False),
    "Siamese": (siamese, False),
    "BCE logits": (F.binary_cross_entropy_with_logits, True),
    "BCE": (F.binary_cross_entropy, True),
    "BinaryFocal": (binary_focal, False),
    "CrossEntropy logits": (F.cross_entropy, True),
    "CrossEntropy labels": (F.cross_entropy, True),
    "CrossEntropy": (cross_entropy, False),
    "Focal": (focal, False),
    "KL": (kl, True),
    "Dice": (dice, False),
}
