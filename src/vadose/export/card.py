"""The model card of a run, in Markdown: every figure is read from the files of the run."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import pandas as pd

from vadose import __version__
from vadose.dataset.calibrations import units_note
from vadose.errors import VadoseError
from vadose.experiment.config import SIMULATED, ArchiveSamples, Experiment, StoreSamples
from vadose.experiment.folds import way_of
from vadose.experiment.product_identity import products_of_run
from vadose.experiment.run import NETWORK, Run
from vadose.export.module import OUTPUTS, inputs_of, reads_season
from vadose.fusion import InputSpec
from vadose.inference.ensemble import weights_of
from vadose.io.files import read_json
from vadose.models import DepartureTrees, FusionNetwork, Model
from vadose.registry import PREDICTORS
from vadose.report.text import HEADER, counted, headline_rows, markdown_table, number
from vadose.variables import IDENTITY

SENSOR = list(IDENTITY)
OTHER_PRODUCTS = (
    "A predictor is its product, level and convention. Leave an input missing if you have another SMAP product; "
    "another "
    "level of reflectance, soil map or backscatter convention under the same name is at your own "
    "risk."
)


def model_card(run: Run, members: Sequence[Model], apart: Mapping[str, float]) -> str:
    """Return the model card: the networks, their training samples, their evaluation and their limits.

    Args:
        run: a finished run.
        members: its networks.
        apart: apart by the name of a written file, its difference from the networks, m3 m-3.

    Raises:
        VadoseError: the run has no scorecard or no estimates.
    """
    experiment = run.experiment()
    scorecard, judged = read_scores(run)
    units = units_note(run.input_calibrations(), members[0].needs.names)
    parts = [f"# {experiment.name}: soil moisture of the top 5 cm, at 320 m"]
    parts += [f"**{SIMULATED}**"] if experiment.simulated else ["Trained and evaluated on real sensors and products."]
    parts += [
        _model(experiment, members, apart),
        _use(members[0].needs, any(map(reads_season, members)), units, products_of_run(run.networks())),
        _data(experiment, judged),
        _scores(scorecard, len(members) > experiment.ensemble_size),
        _limits(experiment, judged),
        _licence(),
    ]
    return "\n\n".join(parts) + "\n"


def read_scores(run: Run) -> tuple[dict[str, Any], pd.DataFrame]:
    """Return the scorecard of a run, and the sensors and times of the estimates that were scored.

    Raises:
        VadoseError: the run has no scorecard or no estimates.
    """
    try:
        scorecard = read_json(run.folder / "scorecard.json")
        judged = pd.read_parquet(
            run.folder / "predictions" / f"{NETWORK}.parquet", columns=[*SENSOR, "lat", "lon", "time"]
        )
    except (OSError, ValueError) as error:
        raise VadoseError(
            f"export: the scores of {run.folder}",
            f"They cannot be read ({error})",
            "Finish the run with 'vadose train --resume'",
        ) from error
    return scorecard, judged


def _model(experiment: Experiment, members: Sequence[Model], apart: Mapping[str, float]) -> str:
    lines = [
        "## Model",
        f"{'; '.join(_kinds(members))}; {experiment.ensemble_size} in each fold: "
        "the mean of their means; the variance is the mean of their variances plus the variance of their means "
        f"(Lakshminarayanan et al., 2017). Written by vadose {__version__}.",
        *(f"- `{name}`: within {found:.1g} m³ m⁻³ of the networks" for name, found in apart.items()),
    ]
    return "\n\n".join(lines[:2]) + "\n\n" + "\n".join(lines[2:])


def _kinds(members: Sequence[Model]) -> Iterator[str]:
    """Yield a description of the members of each kind, with their weight where there are several kinds."""
    kinds: dict[tuple[str, str], list[int]] = {}
    for place, member in enumerate(members):
        kinds.setdefault(_kind(member), []).append(place)
    shares = weights_of(members)
    for (name, size), numbers in kinds.items():
        share = f", with a weight of {shares[numbers].sum():.1f} together" if len(kinds) > 1 else ""
        yield f"{counted(len(numbers), name)} of {size} each{share}"


def _kind(member: Model) -> tuple[str, str]:
    """Return the name of a kind of member, in the plural, and the size of this one."""
    if isinstance(member, DepartureTrees):
        return "tree ensembles on standardised departures", f"{member.departure.trees:,} trees"
    if not isinstance(member, FusionNetwork):
        raise TypeError(f"a {type(member).__name__} is no member of an ensemble")
    weights = sum(weight.numel() for weight in member.parameters())
    return "networks" if member.shape.condensed else "recurrent networks", f"{weights:,} weights"


def _use(needs: InputSpec, season: bool, units: str, products: Mapping[str, str]) -> str:
    rows = [(f"`{name}`", f"({', '.join(map(str, axes))})") for name, axes in inputs_of(needs, season).items()]
    text = [
        "## Inputs and outputs",
        "Physical units, 32-bit floats, NaN where missing; the scaling is included. Batch, y and x are dynamic.",
        markdown_table(("input", "axes"), rows),
        markdown_table(
            ("input", "predictor", "units", "product learned", "meaning"), list(_predictors(needs, products))
        ),
        OTHER_PRODUCTS,
    ]
    text += [f"**{units}**"] if units else []
    if needs.pixels:
        text.append(
            f"Pixels of 10 m extend {needs.halo} cells of 320 m beyond the estimated ones on every side: their axes "
            "have "
            f"32 y + {64 * needs.halo} and 32 x + {64 * needs.halo} pixels. The torch.export program "
            "requires 2 x 2 cells or more; pad with cells of NaN."
        )
    if needs.history.variables:
        past = needs.history
        text.append(f"The history has {past.steps} means over {past.step_days:g} days each, the latest first.")
        if past.sparse_m is not None:
            text.append(
                "Of Sentinel-1 and Sentinel-2 it has one scene per step and cell, from overviews with pixels of "
                f"at most {past.sparse_m:g} m."
            )
    if needs.own_record.variables:
        text.append(
            f"{', '.join(needs.own_record.variables)}: read relative to the place's own record, (x - mean) / std "
            "over its history, so that any product of the role can be used; with fewer than "
            f"{needs.own_record.min_steps} "
            "observed steps it counts as missing. The model computes this itself."
        )
    text.append(
        f"Outputs: `{OUTPUTS[0]}` (0 to 1) and `{OUTPUTS[1]}`, one standard deviation of the error, both m³ m⁻³ and "
        "(batch, y, x); NaN without any observation."
    )
    return "\n\n".join(text)


def _predictors(needs: InputSpec, products: Mapping[str, str]) -> Iterator[tuple[str, str, str, str, str]]:
    groups = (("pixels", needs.pixels), ("cells", needs.cells), ("history", needs.history.variables))
    for group, names in groups:
        for name in names:
            variable = PREDICTORS[name]
            yield f"`{group}`", f"`{name}`", variable.units, products.get(name, ""), variable.long_name


def _data(experiment: Experiment, judged: pd.DataFrame) -> str:
    samples = experiment.samples
    if isinstance(samples, ArchiveSamples):
        origin = f"Collocated from the archive `{samples.archive.name}`, period {samples.period}."
    elif isinstance(samples, StoreSamples):
        origin = f"The sample store `{samples.store.name}`."
    else:
        origin = f"The point table `{samples.table.name}`, read by `{samples.columns.name}`."
    first, last = (f"{moment:%Y-%m-%d}" for moment in (judged["time"].min(), judged["time"].max()))
    each = judged.groupby("network").agg(samples=("time", "size"), first=("time", "min"), last=("time", "max"))
    sensors = judged.drop_duplicates(SENSOR).groupby("network").size()
    rows = [
        (str(name), f"{sensors[str(name)]:,}", f"{row.samples:,}", f"{row.first:%Y-%m-%d}", f"{row.last:%Y-%m-%d}")
        for name, row in each.iterrows()
    ]
    return "\n\n".join(
        [
            "## Data",
            f"{origin} Split: {way_of(experiment.split)}. The held-out sensors, {sensors.sum():,} of "
            f"{counted(len(sensors), 'networks')} with {counted(len(judged), 'samples')} from {first} to {last}:",
            markdown_table(("network", "sensors", "samples", "first", "last"), rows),
        ]
    )


def _scores(scorecard: Mapping[str, Any], several: bool) -> str:
    said = scorecard["made_from"]
    ours = [row for row in scorecard["products"][NETWORK]["spread"] if row["score"].startswith("coverage")]
    covered = [
        (
            f"{row['score'].removeprefix('coverage_')} %",
            number(row["mean"]),
            number(row["mean_low"]),
            number(row["mean_high"]),
        )
        for row in ours
    ]
    together = " The figures are means of the networks of each fold, not of the ensemble of all." if several else ""
    text = [
        "## Scores",
        f"Sensors with at least {said['min_samples']} samples; a place is a block of {said['block_degrees']:g}°; "
        f"the mean over places is the expected skill at a new place; brackets: {said['level']:.0%} intervals from the "
        f"differences between places.{together}",
        markdown_table(HEADER, headline_rows(scorecard["headline"])),
        "\n".join(f"- {note}" for note in said["notes"]),
    ]
    if covered:
        text += [
            "Coverage of the stated intervals:",
            markdown_table(("interval", "share", "low", "high"), covered),
            *_by_place(scorecard["products"][NETWORK].get("coverage_90_by", [])),
        ]
    return "\n\n".join(text)


def _by_place(records: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return the coverage of the 90 % interval by sensor and by place; scorecards of earlier versions lack it."""
    rows = [
        (row["of_each"], f"{row['number']:,}", *(number(row[name], 2) for name in ("under_70", "q05", "q50")))
        for row in records
    ]
    header = ("of each", "number", "under 70 %", "5 % quantile", "median")
    return ["Coverage of the 90 % interval by sensor and by place:", markdown_table(header, rows)] if rows else []


def _limits(experiment: Experiment, judged: pd.DataFrame) -> str:
    south, north, west, east = (
        judged[n].agg(f) for n, f in (("lat", "min"), ("lat", "max"), ("lon", "min"), ("lon", "max"))
    )
    lines = [
        f"- Evaluated only between latitudes {south:.1f} and {north:.1f} and longitudes {west:.1f} and {east:.1f}; "
        "elsewhere, and in climates, soils and land covers that these sensors do not have, its error is unknown.",
        "- A sensor measures a point; a cell is 320 m wide. Part of the error is the difference between them.",
        "- Its level (bias) is less certain than its changes in time: compare RMSE with ubRMSE.",
        "- Nothing is gap-filled: with sources missing, the standard deviation grows. Frozen ground, snow, water and "
        "towns "
        "are not modelled.",
        "- Compute inputs as vadose does: regridded, in steps, and in the units above.",
    ]
    if experiment.simulated:
        lines.insert(0, "- Trained on a simulated world alone: its estimates of the Earth have no value by themselves.")
    return "\n\n".join(["## Limits", "\n".join(lines)])


def _licence() -> str:
    return (
        "## Licence\n\nThe program that made it is under Apache-2.0. The terms of the sensor networks (ISMN) and of "
        "the products in its training also apply: check them before you pass it on."
    )
