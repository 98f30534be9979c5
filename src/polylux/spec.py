"""Spec: frozen, hashable values with keyword checks and a short repr."""

from __future__ import annotations

import dataclasses
from typing import Any, Self

from polylux.errors import OptionError, nearest


class Spec:
    """Base of frozen dataclasses that users construct.

    An unknown keyword is an error that names the nearest ones. The `repr` shows positional-looking
    fields first, leaves out what has its default value, and can be pasted back.
    """

    def __new__(cls, *args: Any, **kwargs: Any) -> Self:
        if kwargs:
            known = [f.name for f in dataclasses.fields(cls) if f.init]  # type: ignore[arg-type]  # subclasses are dataclasses
            for name in kwargs:
                if name not in known:
                    raise OptionError(
                        f"{cls.__name__} got an unknown keyword {name!r}; {nearest(name, known)}"
                    )
        return super().__new__(cls)

    def __repr__(self) -> str:
        shown = []
        for field in dataclasses.fields(self):  # type: ignore[arg-type]  # subclasses are dataclasses
            if not (field.repr and field.init):
                continue
            value = getattr(self, field.name)
            default = field.default
            if field.default_factory is not dataclasses.MISSING:
                default = field.default_factory()
            if default is dataclasses.MISSING and not field.kw_only:
                shown.append(repr(value))
            elif default is dataclasses.MISSING or value != default:
                shown.append(f"{field.name}={value!r}")
        return f"{type(self).__name__}({', '.join(shown)})"
