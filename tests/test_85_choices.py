"""What --help offers is what is taken: choices of options, from the options themselves."""

from collections.abc import Iterator
from enum import StrEnum
from typing import Annotated, Any, Literal, get_args, get_origin, get_type_hints

import numpy as np
import pandas as pd
import pydantic
import pytest
import typer

from vadose.cli.main import app
from vadose.evaluation.rescaling import SCALINGS, rescale
from vadose.export.formats import format_of
from vadose.mapping.executors import DEVICES, Executor
from vadose.mapping.request import FORMATS
from vadose.products.described import Reading, reading_of
from vadose.simulation import WorldConfig
from vadose.simulation.config import PRESETS
from vadose.studies.demo import WORLDS, demo_experiment
from vadose.training import ComputeConfig


def parameters(group: typer.Typer = app, before: str = "") -> Iterator[tuple[str, str, Any]]:
    """Command, parameter and type of every option of the commands."""
    for command in group.registered_commands:
        hints = get_type_hints(command.callback, include_extras=True)
        for name, annotated in hints.items():
            kind = get_args(annotated)[0] if get_origin(annotated) is Annotated else annotated
            yield f"{before}{command.name or command.callback.__name__}", name, kind
    for sub in group.registered_groups:
        yield from parameters(sub.typer_instance, f"{before}{sub.name} ")


def choices(kind: Any) -> tuple[str, ...]:
    """The words that a type offers, also within a list or beside None."""
    if get_origin(kind) is Literal:
        return get_args(kind)
    if isinstance(kind, type) and issubclass(kind, StrEnum):
        return tuple(map(str, kind))
    return tuple(word for part in get_args(kind) for word in choices(part))


CHOICES = {(command, option): words for command, option, kind in parameters() if (words := choices(kind))}
KNOWN = {
    ("simulate make", "preset"): tuple(PRESETS),
    ("demo", "preset"): tuple(WORLDS),
    ("train", "device"): get_args(ComputeConfig.__annotations__["device"]),
    ("train", "precision"): ("32", "bf16-mixed", "16-mixed"),
    ("map", "form"): FORMATS,
    ("map", "device"): DEVICES,
    ("export", "form"): ("onnx", "pt2"),
    ("evaluate", "rescale"): tuple(filter(None, get_args(Reading.model_fields["rescale"].annotation))),
    ("evaluate", "scaling"): SCALINGS,
    ("evaluate", "maturity"): tuple(filter(None, get_args(Reading.model_fields["maturity"].annotation))),
    ("evaluate", "quality"): get_args(Reading.model_fields["quality"].annotation),
}


def thirty_days() -> pd.DataFrame:
    """Estimates of one sensor and its readings."""
    values = np.linspace(0.1, 0.3, 30)
    columns = {"network": "SIM", "station": "s", "sensor": "a", "lat": 1.0, "lon": 1.0}
    times = pd.date_range("2021-01-01", periods=30)
    return pd.DataFrame({"time": times, "soil_moisture": values, "soil_moisture_in_situ": values**2}).assign(**columns)


def test_the_choices_are_those_of_the_rooms_behind() -> None:
    assert CHOICES == KNOWN


@pytest.mark.parametrize(
    ("command", "option", "choice"), [(*key, one) for key, ones in CHOICES.items() for one in ones]
)
def test_every_choice_is_taken_by_the_room_behind(command: str, option: str, choice: str) -> None:
    match option:
        case "preset" if command == "demo":
            experiment = demo_experiment("archive", WORLDS[choice])
            assert 2 <= experiment.min_samples <= 12
        case "preset":
            assert WorldConfig.preset(choice).regions
        case "device" if command == "map":
            assert Executor(device=choice).device == choice
        case "device":
            assert pydantic.TypeAdapter(ComputeConfig).validate_python({"device": choice}).device == choice
        case "precision":
            assert pydantic.TypeAdapter(ComputeConfig).validate_python({"precision": choice}).precision == choice
        case "form":
            assert choice in FORMATS if command == "map" else format_of(choice)
        case "rescale":
            assert reading_of("", "saturation", None, choice, 0.4, 12.0).rescale == choice
        case "quality" | "maturity":
            assert getattr(Reading.model_validate({option: choice}), option) == choice
        case "scaling":
            assert np.isfinite(rescale(thirty_days(), choice)["soil_moisture"]).any()
        case _:
            pytest.fail(f"no test of {command} --{option}")


@pytest.mark.parametrize("option", sorted({option for _, option in CHOICES}))
def test_no_help_names_choices_in_words_alone(option: str) -> None:
    """An option of one name has choices in every command that has it, so that none is only told of in its help."""
    with_choices = {command for command, name in CHOICES if name == option}
    assert {command for command, name, _ in parameters() if name == option} == with_choices
