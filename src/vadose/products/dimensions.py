"""Selection along the further dimensions of a gridded variable."""

from collections.abc import Mapping, Sequence

import numpy as np
import xarray as xr

from vadose.errors import VadoseError

_EXPVER = "expver"
"""ERA5's dimension of the final analysis (1) and the preliminary one (5), each empty where the other is not."""
_SAME = 1e-6


def layers_of(
    variable: xr.DataArray, ground_and_time: Sequence[str], select: Mapping[str, str], asked: str
) -> tuple[xr.DataArray, ...]:
    """Return a variable at the selected values of its further dimensions; of ERA5's versions all, the final one first.

    Args:
        variable: variable with any dimensions.
        ground_and_time: dimensions to keep.
        select: values by dimension; dimensions of one value need none.
        asked: name of the variable in messages.

    Raises:
        VadoseError: a dimension has no selection or no such value, or is missing.
    """
    extra = [str(name) for name in variable.dims if name not in ground_and_time]
    unknown = sorted(set(select) - set(extra))
    if unknown:
        raise VadoseError(
            f"{asked}: --select {unknown[0]}={select[unknown[0]]}",
            f"Its dimensions besides space and time are {_listed(variable, extra) or 'none'}",
            "Choose of these, or leave it out",
        )
    for name in extra:
        if name in select:
            variable = variable.isel({name: _place_of(variable, name, select[name], asked)})
        elif variable.sizes[name] == 1:
            variable = variable.isel({name: 0})
    open_ = [name for name in extra if name in variable.dims]
    if open_ == [_EXPVER]:
        order = np.argsort([float(str(value)) for value in _values(variable, _EXPVER)])
        return tuple(variable.isel({_EXPVER: int(place)}) for place in order)
    if open_:
        name = open_[0]
        raise VadoseError(
            f"{asked}: one layer of it",
            f"It has more dimensions: {_listed(variable, open_)}",
            f"Choose by --select {name}={_values(variable, name)[0]}"
            + "".join(f" --select {other}={_values(variable, other)[0]}" for other in open_[1:] if other != _EXPVER),
        )
    return (variable,)


def _place_of(variable: xr.DataArray, name: str, value: str, asked: str) -> int:
    names = [*_values(variable, name), *_descriptions(variable, name)]
    found = [place % variable.sizes[name] for place, known in enumerate(names) if _is(known, value)]
    if not found:
        raise VadoseError(
            f"{asked}: --select {name}={value}",
            f"Its {_listed(variable, [name])}",
            "Choose one of these values",
        )
    return found[0]


def _is(known: str, value: str) -> bool:
    if known == value.strip():
        return True
    try:
        return bool(np.isclose(float(known), float(value), rtol=_SAME, atol=_SAME))
    except ValueError:
        return False


def _values(variable: xr.DataArray, name: str) -> list[str]:
    """Return coordinates of a dimension as text; without any, indices from 0."""
    if name not in variable.coords:
        return [str(place) for place in range(variable.sizes[name])]
    return [value.decode() if isinstance(value, bytes) else str(value) for value in variable[name].values.tolist()]


def _descriptions(variable: xr.DataArray, name: str) -> list[str]:
    """Return the names of the bands of a raster."""
    names = variable.attrs.get("long_name", ())
    return [str(one) for one in names] if name == "band" and isinstance(names, tuple | list) else []


def _listed(variable: xr.DataArray, names: Sequence[str]) -> str:
    def one(name: str) -> str:
        values = [*_values(variable, name), *_descriptions(variable, name)]
        units = (
            f" {variable[name].attrs['units']}" if name in variable.coords and "units" in variable[name].attrs else ""
        )
        more = ", …" if len(values) > 12 else ""
        return f"{name} of {variable.sizes[name]} ({', '.join(values[:12])}{more}{units})"

    return ", ".join(map(one, names))
