"""What networks learned by the name of a predictor, what they meet, and what follows from the difference, in words."""

from collections.abc import Collection, Iterable, Mapping
from pathlib import Path

from vadose.errors import VadoseError
from vadose.fusion import InputSpec
from vadose.registry import Quality, distinct_roles, product_of, source_of
from vadose.training import origin
from vadose.variables import (
    GAMMA0,
    GAMMA0_RTC,
    SIGMA0,
)

Products = Mapping[str, str]
CHECKPOINT_PRODUCTS = "products"
"""Key of a checkpoint's origin: of which product each predictor was."""


def products_of_run(networks: Iterable[Path]) -> dict[str, str]:
    """Of which product each predictor was that the networks of a run learned from.

    Raises:
        VadoseError: a checkpoint cannot be read, or does not tell.
    """
    products: dict[str, str] = {}
    for path in networks:
        made_from = origin(path)
        if CHECKPOINT_PRODUCTS not in made_from:
            raise VadoseError(
                f"run: the products that {path} learned from",
                "It was written before checkpoints told them, and a predictor may have been another quantity",
                "Train again",
            )
        products |= made_from[CHECKPOINT_PRODUCTS]
    return products


def differences(
    needs: InputSpec, learned: Products, held: Collection[str], met: Products, where: str
) -> tuple[str, ...]:
    """Return what differs between what networks learned and what they meet, a line each, and what is done about it.

    A SMAP product never stands for another, unless the network reads it relative to the place's own record. Another
    level, convention or soil map under the same name is used as it is.

    Args:
        needs: of the networks, by the names that they learned.
        learned: product of each predictor.
        held: names of the predictors that there are now.
        met: product of each of these.
        where: what holds them, such as "the archive".
    """
    absent = {name: _stand_in(name, held) for name in sorted(needs.names) if name not in held}
    bare = [name for name, other in absent.items() if not other]
    lines = [f"{where} has no {', '.join(bare)}: counted as missing"] if bare else []
    lines += [_instead(name, other, needs, learned, where) for name, other in absent.items() if other]
    alike: dict[tuple[str, str], list[str]] = {}
    for name in sorted(needs.names & set(held) & learned.keys() & met.keys()):
        if learned[name] != met[name]:
            alike.setdefault((learned[name], met[name]), []).append(name)
    return (*lines, *(_other(names, *products, where) for products, names in alike.items()))


def _stand_in(name: str, held: Collection[str]) -> str:
    others = (other for role in distinct_roles() if name in role for other in sorted(role & set(held)))
    return next(others, "")


def _instead(name: str, other: str, needs: InputSpec, learned: Products, where: str) -> str:
    met = (
        f"the network learned {learned.get(name, product_of(name))} ({name}), {where} has {product_of(other)} ({other})"
    )
    if name in needs.own_record.variables:
        return f"{met}: read relative to the place's own record, as the experiment declares"
    return f"{met}: not the same input, so that it counts as missing ({Quality.missing(source_of(name)).name})"


def _other(names: list[str], learned: str, met: str, where: str) -> str:
    because = ""
    if {learned, met} == {GAMMA0, GAMMA0_RTC}:
        because = "; they differ where the ground slopes"
    elif SIGMA0 in (learned, met):
        because = "; gamma0 = sigma0 / cos(incidence angle), and the angle is not known where sigma0 stands"
    return f"{', '.join(names)}: the network learned {learned}, {where} has {met}: used as it is{because}"
