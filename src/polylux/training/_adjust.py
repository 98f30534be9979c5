"""adjust, freeze and thaw: a train state whose optimizer acts otherwise from the next step on."""

from __future__ import annotations

from typing import Any

from polylux.errors import OptionError
from polylux.optimizers import Frozen, Schedule
from polylux.training._state import TrainState, leaf_paths, require_state, with_optimizer


def adjust(
    train_state: TrainState, learning_rate: float | Schedule | None = None, /, **values: Any
) -> TrainState:
    """The train state with other hyper-parameters; slots and step go on.

    A rule's hyper-parameters are kept in one place only, `train_state.optimizer`, which the slots
    do not repeat: the next step has the new values throughout. Under jit a new learning rate,
    weight decay or clipping bound costs no new trace, any other value one. The state passed in
    stays as it was; the two share their arrays.

    Parameters
    ----------
    train_state : TrainState
    learning_rate : float or Schedule, optional
        The same as `learning_rate=...` by name.
    **values
        Hyper-parameters by name. In a chain, and in rules by path, each rule that has one of that
        name gets it.

    Returns
    -------
    TrainState
        A slot that the new values call for (`momentum` above 0 where it was 0) starts anew.

    Raises
    ------
    OptionError
        If no rule has a hyper-parameter of that name, or a run cannot change it.
    DomainError
        If a value is outside its domain.

    References
    ----------
    `Optimisers.adjust` of the Utilities page.

    Examples
    --------
    >>> import numpy as np
    >>> from polylux import TrainState, adjust
    >>> from polylux.optimizers import Adam
    >>> ts = TrainState(lambda x, ps, st: (x * ps["w"], st), {"w": np.ones(3)}, {}, Adam(0.1))
    >>> adjust(ts, 0.01).optimizer
    Adam(learning_rate=0.01)
    >>> adjust(ts, betas=(0.8, 0.9)).optimizer
    Adam(learning_rate=0.1, betas=(0.8, 0.9))
    """
    require_state(train_state, "adjust")
    if learning_rate is not None:
        if "learning_rate" in values:
            raise OptionError("adjust got the learning rate twice, by position and by name")
        values["learning_rate"] = learning_rate
    if not values:
        raise OptionError("adjust needs a learning rate, or names such as momentum=0.9")
    return with_optimizer(train_state, train_state.optimizer.adjusted(values))


def freeze(train_state: TrainState, *patterns: str) -> TrainState:
    """The train state with some leaves left alone by the optimizer from now on.

    Frozen leaves and their slots keep their values, bit for bit; nothing decays. Gradients are
    still computed for them, since the objective may report them. Under jit the next step is traced
    anew.

    Parameters
    ----------
    train_state : TrainState
    *patterns : str
        For the path of a leaf as Python spells it, such as `['layer_1']['weight']`: `*` stands for
        any text, `?` for one character, and brackets for themselves. A leaf that occurs at several
        places is one parameter, and frozen if it matches at any of them.

    Returns
    -------
    TrainState
        Its `optimizer` is a `Frozen` around the former rule.

    Raises
    ------
    TreeError
        If a pattern matches no trainable leaf.
    OptionError
        If there is no pattern, or one is no string.

    References
    ----------
    `Optimisers.freeze!` of the Utilities page.

    Examples
    --------
    >>> import numpy as np
    >>> from polylux import TrainState, apply_gradients, freeze
    >>> from polylux.optimizers import SGD
    >>> ps = {"weight": np.ones(2), "bias": np.zeros(2)}
    >>> ts = freeze(TrainState(lambda x, ps, st: (x, st), ps, {}, SGD(0.5)), "*['bias']")
    >>> ts = apply_gradients(ts, {"weight": np.ones(2), "bias": np.ones(2)})
    >>> [float(w) for w in ts.parameters["weight"]], [float(b) for b in ts.parameters["bias"]]
    ([0.5, 0.5], [0.0, 0.0])
    """
    require_state(train_state, "freeze")
    paths = leaf_paths(train_state._buffers.layout)
    rule = Frozen.frozen(train_state.optimizer, paths, patterns)
    return with_optimizer(train_state, rule)


def thaw(train_state: TrainState, *patterns: str) -> TrainState:
    """The train state with frozen leaves trained again, from the slots that they were frozen with.

    Parameters
    ----------
    train_state : TrainState
    *patterns : str
        As for `freeze`; leaves that are not frozen stay so. `"*"` thaws all.

    Returns
    -------
    TrainState
        With the bare rule, if nothing is frozen any more.

    Raises
    ------
    TreeError, OptionError
        As for `freeze`.

    References
    ----------
    `Optimisers.thaw!` of the Utilities page.

    Examples
    --------
    >>> import numpy as np
    >>> from polylux import TrainState, freeze, thaw
    >>> from polylux.optimizers import SGD
    >>> ps = {"weight": np.ones(2), "bias": np.zeros(2)}
    >>> ts = freeze(TrainState(lambda x, ps, st: (x, st), ps, {}, SGD(0.5)), "*")
    >>> thaw(ts, "*['bias']").optimizer
    Frozen(SGD(learning_rate=0.5), ("['weight']",))
    >>> thaw(ts, "*").optimizer
    SGD(learning_rate=0.5)
    """
    require_state(train_state, "thaw")
    paths = leaf_paths(train_state._buffers.layout)
    rule = Frozen.thawed(train_state.optimizer, paths, patterns)
    return with_optimizer(train_state, rule)
