"""Differences between the products of the training samples and of the inputs, and their consequences."""

from collections.abc import Collection, Iterable, Mapping
from pathlib import Path

from vadose.errors import VadoseError
from vadose.fusion import InputSpec
from vadose.registry import Quality, product_of, source_of, stand_in
from vadose.training import origin
from vadose.variables import GAMMA0, GAMMA0_OPERA, GAMMA0_RTC, SIGMA0

Products = Mapping[str, str]
CHECKPOINT_PRODUCTS = "products"
"""Key of a checkpoint's origin: the product of each predictor."""


def products_of_run(networks: Iterable[Path]) -> dict[str, str]:
    """Return the product of each predictor in the training samples of the networks of a run.

    Raises:
        VadoseError: a checkpoint is unreadable, or does not contain the products.
    """
    products: dict[str, str] = {}
    for path in networks:
        made_from = origin(path)
        if CHECKPOINT_PRODUCTS not in made_from:
            raise VadoseError(
                f"run: the products in the training of {path}",
                "The checkpoint does not contain them (older version); a predictor may have been another quantity",
                "Train again",
            )
        products |= made_from[CHECKPOINT_PRODUCTS]
    return products


def differences(
    needs: InputSpec, learned: Products, held: Collection[str], met: Products, where: str
) -> tuple[str, ...]:
    """Return the differences between training samples and inputs, one line each, with the consequence.

    A SMAP product never replaces another one, unless the network reads it relative to the place's own record. Another
    level, convention or soil map under the same name is used unchanged.

    Args:
        needs: needs of the networks, by the names in the training samples.
        learned: product of each predictor in the training samples.
        held: names of the available predictors.
        met: product of each of these.
        where: what contains them, such as "the archive".
    """
    absent = {name: stand_in(name, held) for name in sorted(needs.names) if name not in held}
    bare = [name for name, other in absent.items() if not other]
    lines = [f"{where} has no {', '.join(bare)}: counted as missing"] if bare else []
    lines += [_instead(name, other, needs, learned, where) for name, other in absent.items() if other]
    alike: dict[tuple[str, str], list[str]] = {}
    for name in sorted(needs.names & set(held) & learned.keys() & met.keys()):
        if learned[name] != met[name]:
            alike.setdefault((learned[name], met[name]), []).append(name)
    return (*lines, *(_other(names, *products, where) for products, names in alike.items()))


def _instead(name: str, other: str, needs: InputSpec, learned: Products, where: str) -> str:
    met = (
        f"the network was trained on {learned.get(name, product_of(name))} ({name}), "
        f"{where} has {product_of(other)} ({other})"
    )
    if name in needs.own_record.variables:
        return f"{met}: read relative to the place's own record, as the experiment states"
    return f"{met}: not the same input, so that it counts as missing ({Quality.missing(source_of(name)).name})"


def _other(names: list[str], learned: str, met: str, where: str) -> str:
    because = ""
    if {learned, met} == {GAMMA0, GAMMA0_RTC}:
        because = "; they differ on slopes"
    elif SIGMA0 in (learned, met):
        because = "; gamma0 = sigma0 / cos(incidence angle), and the angle of sigma0 is unknown"
    elif GAMMA0_OPERA in (learned, met):
        because = "; OPERA's has pixels of 30 m, and neither layover nor shadow"
    return f"{', '.join(names)}: the network was trained on {learned}, {where} has {met}: used unchanged{because}"
