"""Checks of derivatives against difference quotients."""

from polylux.checking._gradient import check_gradient
from polylux.checking._report import Comparison, GradientReport
from polylux.checking._rule import RuleReport, check_rule

__all__ = ["Comparison", "GradientReport", "RuleReport", "check_gradient", "check_rule"]
