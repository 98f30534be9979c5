"""Trees to flat tuples and back: containers, tied leaves, statics, and what differs."""

from __future__ import annotations

import dataclasses
import pickle
import subprocess
import sys
from collections import OrderedDict, defaultdict, deque, namedtuple
from typing import Any

import numpy as np
import optree
import pytest

import polylux
from polylux import tree
from polylux.errors import OptionError, TreeError

Pair = namedtuple("Pair", ["left", "right"])


@optree.dataclasses.dataclass(namespace=tree.NAMESPACE)
class Linear:
    weight: Any
    bias: Any
    name: str = optree.dataclasses.field(default="linear", pytree_node=False)


def is_array(leaf: Any) -> bool:
    return isinstance(leaf, np.ndarray) and leaf.dtype.kind == "f"


def flatten(values: Any) -> tuple[tuple[Any, ...], tree.Structure]:
    return tree.flatten(values, is_array)


def array(value: float) -> Any:
    return np.asarray(value)


A, B, C = array(1.0), array(2.0), array(3.0)

CONTAINERS = {
    "leaf": A,
    "dict": {"b": B, "a": A},
    "list": [A, B],
    "tuple": (A, (B,), ()),
    "namedtuple": Pair(A, Pair(B, None)),
    "None": None,
    "none inside": {"x": None, "y": A},
    "empty": {},
    "OrderedDict": OrderedDict([("z", A), ("a", B)]),
    "defaultdict": defaultdict(list, {"a": A}),
    "deque": deque([A, B], maxlen=3),
    "dataclass": Linear(A, [B], name="first"),
    "statics": {"w": A, "p": 0.5, "name": "drop", "on": True},
    "mixed": [{"layer": (Linear(A, None), 3)}, Pair([B], "x"), {1: C}],
    "tied": {"encoder": A, "decoder": [A, B], "again": Pair(B, 1)},
}
every_container = pytest.mark.parametrize("values", CONTAINERS.values(), ids=CONTAINERS)


def same(a: Any, b: Any) -> bool:
    """Equal containers and statics, identical arrays."""
    leaves, treedef = optree.tree_flatten(a, namespace=tree.NAMESPACE)
    others, other = optree.tree_flatten(b, namespace=tree.NAMESPACE)
    return treedef == other and all(
        x is y or (not is_array(x) and x == y) for x, y in zip(leaves, others, strict=True)
    )


@every_container
def test_unflatten_undoes_flatten(values: Any) -> None:
    arrays, structure = flatten(values)
    again = structure.unflatten(arrays)
    assert type(again) is type(values)
    assert same(again, values)


@every_container
def test_structures_of_equal_trees_are_equal_and_hash_alike(values: Any) -> None:
    renewed = tree.flatten(values, is_array)[1]
    fresh = flatten(values)[1]
    assert fresh == renewed
    assert hash(fresh) == hash(renewed)


@every_container
def test_there_is_one_path_for_each_array_and_each_static(values: Any) -> None:
    arrays, structure = flatten(values)
    assert len(structure.paths()) == len(arrays) == structure.size
    assert len(structure.static_paths()) == len(structure.statics)


@every_container
def test_a_structure_survives_pickling(values: Any) -> None:
    structure = flatten(values)[1]
    hash(structure)  # cached from here on
    again = pickle.loads(pickle.dumps(structure))
    assert again == structure
    assert hash(again) == hash(structure)


def test_a_pickled_structure_hashes_by_the_rules_of_the_process_that_reads_it() -> None:
    structure = flatten({"w": A, "name": "x"})[1]
    hash(structure)
    program = (
        "import pickle, sys, numpy as np\n"
        "from polylux import tree\n"
        "read = pickle.load(sys.stdin.buffer)\n"
        "made = tree.flatten({'w': np.ones(()), 'name': 'x'}, lambda l: hasattr(l, 'dtype'))[1]\n"
        "assert read == made and hash(read) == hash(made)\n"
    )
    subprocess.run([sys.executable, "-c", program], input=pickle.dumps(structure), check=True)


def test_dicts_are_walked_by_sorted_key() -> None:
    assert flatten({"b": B, "a": A})[0] == (A, B)
    assert flatten(OrderedDict([("z", A), ("a", B)]))[0] == (A, B)


def test_a_tied_array_appears_once_and_returns_to_all_its_places() -> None:
    arrays, structure = flatten({"encoder": A, "decoder": [A, B]})
    assert arrays == (A, B)
    assert structure.slots == (0, 1, 0)
    again = structure.unflatten([B, C])
    assert again == {"encoder": B, "decoder": [B, C]}
    assert again["encoder"] is again["decoder"][0]


def test_equal_arrays_that_are_not_the_same_object_are_not_tied() -> None:
    assert flatten([array(1.0), array(1.0)])[1].size == 2


def test_tied_and_untied_trees_have_different_structures() -> None:
    assert flatten([A, A])[1] != flatten([A, B])[1]


def test_paths_are_spelled_as_python_spells_them() -> None:
    _, structure = flatten({"layer_1": Linear(A, [B]), "rest": (Pair(C, 0.5),)})
    assert structure.paths() == [
        "['layer_1'].weight",
        "['layer_1'].bias[0]",
        "['rest'][0].left",
    ]
    assert structure.static_paths() == ["['rest'][0].right"]


def test_a_tied_leaf_is_named_after_its_first_place() -> None:
    assert flatten({"a": A, "b": A})[1].paths() == ["['a']"]


def test_static_fields_of_a_dataclass_belong_to_the_structure() -> None:
    assert flatten(Linear(A, B, name="x"))[1] != flatten(Linear(A, B, name="y"))[1]


def test_an_unregistered_dataclass_is_a_leaf() -> None:
    @dataclasses.dataclass
    class Mine:
        weight: Any

    arrays, structure = flatten([Mine(A)])
    assert arrays == ()
    assert len(structure.statics) == 1


@pytest.mark.parametrize(
    ("a", "b", "equal"),
    [
        (1, 1, True),
        (1, 1.0, False),
        (1, True, False),
        (0.0, -0.0, False),
        (float("nan"), float("nan"), True),
        (complex(0, 0.0), complex(0, -0.0), False),
        ("a", "a", True),
        ("a", "b", False),
        (np.dtype("f4"), np.dtype("f4"), True),
        (np.array(["a", "b"]), np.array(["a", "b"]), False),
    ],
    ids=["ints", "int and float", "int and bool", "signed zeros", "nans", "complex zeros",
         "strings", "other strings", "dtypes", "no truth value"],
)  # fmt: skip
def test_statics_are_the_same_when_they_may_share_a_trace(a: Any, b: Any, equal: bool) -> None:
    assert tree.same_static(a, b) is equal
    assert (flatten([A, a])[1] == flatten([A, b])[1]) is equal


def test_a_static_whose_comparison_fails_is_only_the_same_as_itself() -> None:
    class Grumpy:
        def __eq__(self, other: object) -> bool:
            raise RuntimeError

        __hash__ = None  # type: ignore[assignment]  # what is tested

    one = Grumpy()
    assert tree.same_static(one, one)
    assert not tree.same_static(one, Grumpy())
    hash(flatten([A, one])[1])


def flatten_like(values: Any, like: Any) -> list[Any]:
    def equal(a: Any, b: Any) -> bool:
        return bool(a == b)

    return tree.flatten_like(values, flatten(like)[1], "grads", equal)


def test_flatten_like_takes_what_stands_where_the_arrays_were() -> None:
    like = {"w": A, "rate": 0.5, "b": B}
    assert flatten_like({"w": 10, "rate": 9, "b": 20}, like) == [20, 10]


def test_flatten_like_takes_a_tied_leaf_once() -> None:
    assert flatten_like({"a": C, "b": C}, {"a": A, "b": A}) == [C]
    assert flatten_like({"a": array(3.0), "b": C}, {"a": A, "b": A}) == [C]


def test_flatten_like_refuses_parts_of_a_tied_leaf() -> None:
    with pytest.raises(TreeError, match=r"the tied leaf \['a'\] has different values") as caught:
        flatten_like({"a": A, "b": B}, {"a": A, "b": A})
    assert "add the parts first" in str(caught.value)


@pytest.mark.parametrize(
    ("got", "like", "sentence"),
    [
        ({"a": A}, {"a": A, "b": B}, "grads: no leaf at ['b']"),
        ({"a": A, "c": B}, {"a": A}, "grads: unexpected ['c']"),
        ({"a": A, "c": B}, {"a": A, "b": B}, "grads: no leaf at ['b']; unexpected ['c']"),
        ([A, A, A, A, A], [], "grads: unexpected [0], [1], [2]"),
        ([], [A, A, A, A, A], "grads: no leaf at [0], [1], [2], ..."),
        (A, [A], "grads: no leaf at [0]; unexpected leaf"),
        ((A, B), [A, B], "grads: got containers"),
        ({"a": None}, {"a": A}, "grads: no leaf at ['a']"),
    ],
    ids=["missing", "extra", "renamed", "many extra", "many missing", "leaf for list",
         "tuple for list", "None for array"],
)  # fmt: skip
def test_trees_that_do_not_match_say_where(got: Any, like: Any, sentence: str) -> None:
    with pytest.raises(TreeError) as caught:
        flatten_like(got, like)
    assert sentence in str(caught.value)


@pytest.fixture
def whole(monkeypatch: pytest.MonkeyPatch) -> type:
    """A namedtuple that is registered as a leaf, for one test."""
    monkeypatch.setattr(tree, "_LEAF_CLASSES", ())
    return tree.register_leaf(namedtuple("Whole", ["a", "b"]))


def test_registered_leaf_is_never_entered(whole: Any) -> None:
    leaf = whole(A, B)
    values = {"x": leaf, "y": [C, Pair(A, 1)]}
    arrays, structure = flatten(values)
    assert arrays == (C, A)
    assert structure.statics == (leaf, 1)
    assert structure.static_paths() == ["['x']", "['y'][1].right"]
    again = structure.unflatten(arrays)
    assert again["x"] is leaf
    assert tree.map_leaves(lambda node: node is leaf, values)["x"] is True
    assert flatten_like(values, values) == [C, A]


def test_subclasses_of_a_registered_leaf_are_leaves(whole: Any) -> None:
    class Below(whole):  # type: ignore[misc]  # a class that only the test knows
        pass

    assert tree.leaves([Below(A, B)])[0] == [Below(A, B)]


@pytest.mark.parametrize("given", [dict, tuple, type(None), A, "Pair"], ids=str)
def test_built_in_containers_cannot_be_leaves(given: Any) -> None:
    with pytest.raises(OptionError, match="register_leaf takes a class"):
        tree.register_leaf(given)


def test_registered_leaf_passes_through_a_derivative(whole: Any, selector: polylux.ADType) -> None:
    def f(p: Any) -> Any:
        assert type(p["bounds"].a) is float
        return p["w"] ** 2 * p["bounds"].a

    got = polylux.gradient(f, selector, {"w": np.asarray(3.0), "bounds": whole(0.5, 1.0)})
    assert float(got["w"]) == 3.0


def test_nested_dicts_without_leaves_are_known_at_once() -> None:
    def known(a: Any, b: Any) -> bool:
        return flatten(a)[1].is_of_empty(b)

    empty: Any = {"layer_1": {}, "layer_2": {"inner": {}}}
    assert known(empty, {"layer_2": {"inner": {}}, "layer_1": {}})
    for other in (
        {}, {"layer_1": {}}, {**empty, "more": {}}, {**empty, "layer_1": A},
        {**empty, "layer_1": 0},
        {"layer_1": {}, "layer_2": {"inner": {"x": {}}}}, {"layer_1": {}, "layer_2": ()}, None, A,
        OrderedDict(empty),
    ):  # fmt: skip
        assert not known(empty, other)
    # Of anything else nothing is said.
    for values in ({"a": A}, {"a": 1}, (), [], None, {"a": ()}, OrderedDict()):
        assert not known(values, values)
