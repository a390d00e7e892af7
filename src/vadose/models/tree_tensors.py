"""Boosted trees as tensors: the same estimates as LightGBM's, within graphs and on every device."""

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

if TYPE_CHECKING:
    import lightgbm

Node = tuple[int, float, bool, int, int, float]
"""Column, threshold, whether missing values go left, left and right child, value; a leaf is its own child."""


class TreeTensors(nn.Module):
    """Sum of trees, each a row of nodes; every step moves each sample one level down in each tree.

    Args:
        trees: number of trees.
        nodes: number of nodes of the largest one.
        depth: number of levels below the root.
    """

    column: Tensor
    threshold: Tensor
    missing_left: Tensor
    left: Tensor
    right: Tensor
    value: Tensor
    root: Tensor

    def __init__(self, trees: int, nodes: int, depth: int) -> None:
        super().__init__()
        self.trees, self.nodes, self.depth = trees, nodes, depth
        kinds = {
            "column": torch.int16,
            "threshold": torch.float64,
            "missing_left": torch.bool,
            "left": torch.int16,
            "right": torch.int16,
            "value": torch.float32,
        }
        for name, kind in kinds.items():
            self.register_buffer(name, torch.zeros(trees * nodes, dtype=kind))
        self.register_buffer("root", torch.arange(trees) * nodes, persistent=False)

    @classmethod
    def of(cls, boosters: Sequence["lightgbm.Booster"]) -> "TreeTensors":
        """Return the mean of boosters."""
        grown = [list(_nodes(tree["tree_structure"])) for one in boosters for tree in one.dump_model()["tree_info"]]
        nodes = max(map(len, grown))
        made = cls(len(grown), nodes, max(map(_depth, grown)))
        for number, tree in enumerate(grown):
            own = slice(number * nodes, number * nodes + len(tree))
            *places, value = zip(*tree, strict=True)
            for buffer, values in zip(
                (made.column, made.threshold, made.missing_left, made.left, made.right), places, strict=True
            ):
                buffer[own] = torch.tensor(values, dtype=buffer.dtype)
            made.value[own] = torch.tensor(value) / len(boosters)
        return made

    @classmethod
    def constant(cls, value: float) -> "TreeTensors":
        """Return one leaf."""
        made = cls(1, 1, 0)
        made.value[0] = value
        return made

    def shape(self) -> dict[str, int]:
        """Return the arguments that rebuild it."""
        return {"trees": self.trees, "nodes": self.nodes, "depth": self.depth}

    def forward(self, rows: Tensor) -> Tensor:
        """Return the sum of the trees, (row,), for columns (row, column); NaN where missing."""
        node = self.root.expand(rows.shape[0], -1)
        for _ in range(self.depth):
            values = rows.gather(1, self.column[node].long()).double()
            to_left = (values.isnan() & self.missing_left[node]) | (values <= self.threshold[node])
            node = self.root + torch.where(to_left, self.left[node].long(), self.right[node].long())
        return self.value[node].double().sum(dim=1)


def _nodes(root: Mapping[str, Any]) -> Iterator[Node]:
    """Yield the nodes of a tree of LightGBM, the root first."""
    numbers: dict[int, int] = {}
    order: list[Mapping[str, Any]] = []
    waiting = [root]
    while waiting:
        one = waiting.pop()
        numbers[id(one)] = len(order)
        order.append(one)
        waiting += [one[side] for side in ("left_child", "right_child") if side in one]
    for number, one in enumerate(order):
        if "left_child" in one:
            missing_left = one["default_left"] if one["missing_type"] == "NaN" else one["threshold"] >= 0
            children = (numbers[id(one[side])] for side in ("left_child", "right_child"))
            yield (one["split_feature"], one["threshold"], bool(missing_left), *children, 0.0)
        else:
            yield 0, 0.0, True, number, number, one["leaf_value"]


def _depth(tree: Sequence[Node]) -> int:
    level = {0: 0}
    for number, (_, _, _, left, right, _) in enumerate(tree):
        if left != number:
            level[left] = level[right] = level[number] + 1
    return max(level.values())
