"""Rows of an ablation: the full model, the paper's variants, and ours."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any

from vadose.errors import VadoseError
from vadose.experiment.config import Experiment
from vadose.fusion import HistorySpec, InputSpec, OwnRecord
from vadose.registry import SOURCES, SPECS, source_of
from vadose.variables import SMAP_USDA

PAPER = (
    ("paper_coarse", ("smap", "gldas")),
    ("paper_s1_dem", ("sentinel1", "dem")),
    ("paper_s2", ("sentinel1", "dem", "sentinel2")),
    ("paper_soil", ("sentinel1", "dem", "sentinel2", "soilgrids")),
    ("paper_all", ("sentinel1", "sentinel2", "dem", "soilgrids", "smap", "gldas")),
)
"""Sources of the paper's rows (Batchu et al., J. Hydrometeorology 24(10), 2023, doi 10.1175/JHM-D-22-0118.1)."""


class Group(StrEnum):
    """Origin of a row."""

    FULL = "full"
    PAPER = "paper"
    OURS = "ours"


@dataclass(frozen=True, eq=False)
class Row:
    """One training of the ablation.

    Attributes:
        name: name on the command line.
        words: words in tables and pictures.
        group: origin of the row.
        experiment: experiment to be trained.
        run: folder of the training, shared by rows of both groups with the same inputs.
    """

    name: str
    words: str
    group: Group
    experiment: Experiment
    run: str


def rows_of(experiment: Experiment, only: Sequence[str] = ()) -> tuple[Row, ...]:
    """Return the rows whose sources an experiment has, the full model first; no two of a group have the same inputs.

    Args:
        experiment: the full model; its baselines are left out.
        only: names of the wanted rows besides the full model; by default all.

    Raises:
        VadoseError: a name is not a row of this experiment.
    """
    full = experiment.model_copy(update={"baselines": ()})
    every = [Row("full", "full model", Group.FULL, full, "full")]
    for row in (*_paper(full), *_ours(full)):
        trained = row.experiment.needs, row.experiment.schedule
        alike = [other for other in every if trained == (other.experiment.needs, other.experiment.schedule)]
        if not any(other.group in (Group.FULL, row.group) for other in alike):
            every.append(replace(row, run=alike[0].run) if alike else row)
    unknown = sorted(set(only) - {row.name for row in every})
    if unknown:
        raise VadoseError(
            f"ablation: the rows {', '.join(unknown)} of '{experiment.name}'",
            f"Its rows are {', '.join(row.name for row in every)}",
            "Name some of these",
        )
    return tuple(row for row in every if row.group is Group.FULL or not only or row.name in only)


def _paper(full: Experiment) -> Iterator[Row]:
    """Yield the paper's rows: one time without history, from those of their sources that the experiment has."""
    here = _sources(full.needs)
    for name, asked in PAPER:
        sources = [source for source in asked if source in here]
        needs = replace(_only(full.needs, sources), history=HistorySpec(), own_record=OwnRecord())
        if needs.names:
            words = " + ".join(_words(source, full) for source in sources)
            yield Row(name, words, Group.PAPER, full.model_copy(update={"needs": needs}), name)


def _ours(full: Experiment) -> Iterator[Row]:
    needs = full.needs
    here = _sources(needs)
    for source in here:
        left = _only(needs, [other for other in here if other != source])
        if left.names:
            yield _without(source, _words(source, full), full, needs=left)
    if needs.history.variables and (needs.cells or needs.pixels):
        present = replace(needs, history=HistorySpec(), own_record=OwnRecord())
        yield _without("history", "history", full, needs=present)
    if full.schedule.source_dropout:
        steady = replace(full.schedule, source_dropout=0.0)
        yield _without("dropout", "source dropout", full, schedule=steady)
    if needs.pixels:
        cells = InputSpec(cells=full.cells, history=needs.history)
        yield _without("chips", "chips: cells alone", full, needs=cells)


def _words(source: str, full: Experiment) -> str:
    """Return the name of a source in a table; NASA-USDA Enhanced SMAP has its own."""
    return (
        "Enhanced SMAP"
        if source == "smap" and SMAP_USDA.name in full.needs.names
        else SPECS[source].label or SPECS[source].title
    )


def _without(name: str, words: str, full: Experiment, **changed: Any) -> Row:
    experiment = full.model_copy(update=changed)
    return Row(f"without_{name}", f"without {words}", Group.OURS, experiment, f"without_{name}")


def _sources(needs: InputSpec) -> list[str]:
    """Return the sources of some needs, in the order of the vocabulary."""
    there = {source_of(name) for name in needs.names}
    return [source for source in SOURCES if source in there]


def _only(needs: InputSpec, sources: Sequence[str]) -> InputSpec:
    """Return the needs that some sources meet."""
    pixels, cells, past = (
        tuple(name for name in names if source_of(name) in sources)
        for names in (needs.pixels, needs.cells, needs.history.variables)
    )
    history = replace(needs.history, variables=past) if past else HistorySpec()
    own = replace(needs.own_record, variables=tuple(name for name in needs.own_record.variables if name in past))
    return replace(needs, pixels=pixels, cells=cells, history=history, own_record=own if past else OwnRecord())
