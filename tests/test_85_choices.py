"""What --help offers is what is taken: choices of options, from the options themselves."""

from collections.abc import Iterator
from typing import Any, get_args

import pydantic
import pytest
import typer.main

from vadose.cli import app
from vadose.experiment.atlas.crew import DEVICES, Crew
from vadose.experiment.atlas.request import FORMATS
from vadose.experiment.demo import demo_experiment
from vadose.experiment.product.described import Reading, reading_of
from vadose.training import Machine
from vadose.training.export import format_of
from vadose.world import WorldConfig
from vadose.world.config import PRESETS


def options() -> Iterator[tuple[str, str, tuple[str, ...]]]:
    """Command, option and choices of every option that has some."""

    def within(command: Any, name: str) -> Iterator[tuple[str, str, tuple[str, ...]]]:
        for parameter in command.params:
            choices = getattr(parameter.type, "choices", ())
            if choices:
                words = tuple(str(getattr(choice, "value", choice)) for choice in choices)
                yield name, parameter.opts[-1].lstrip("-"), words
        for sub, part in getattr(command, "commands", {}).items():
            yield from within(part, f"{name} {sub}".strip())

    yield from within(typer.main.get_command(app), "")


CHOICES = {(command, option): choices for command, option, choices in options()}
KNOWN = {
    ("world make", "preset"): tuple(PRESETS),
    ("demo", "preset"): tuple(name for name in PRESETS if name != "large"),
    ("train", "device"): get_args(Machine.__annotations__["device"]),
    ("train", "precision"): ("32", "bf16-mixed", "16-mixed"),
    ("map", "format"): FORMATS,
    ("map", "device"): DEVICES,
    ("export", "format"): ("onnx", "pt2"),
    ("score", "rescale"): tuple(filter(None, get_args(Reading.model_fields["rescale"].annotation))),
    ("compare", "rescale"): tuple(filter(None, get_args(Reading.model_fields["rescale"].annotation))),
}


def test_the_choices_are_those_of_the_rooms_behind() -> None:
    assert CHOICES == KNOWN


@pytest.mark.parametrize(
    ("command", "option", "choice"), [(*key, one) for key, ones in CHOICES.items() for one in ones]
)
def test_every_choice_is_taken_by_the_room_behind(command: str, option: str, choice: str) -> None:
    match option:
        case "preset" if command == "demo":
            experiment = demo_experiment("archive", WorldConfig.preset(choice))
            assert 2 <= experiment.min_samples <= 12
        case "preset":
            assert WorldConfig.preset(choice).regions
        case "device" if command == "map":
            assert Crew(device=choice).device == choice
        case "device":
            assert pydantic.TypeAdapter(Machine).validate_python({"device": choice}).device == choice
        case "precision":
            assert pydantic.TypeAdapter(Machine).validate_python({"precision": choice}).precision == choice
        case "format":
            assert choice in FORMATS if command == "map" else format_of(choice)
        case "rescale":
            assert reading_of("", "saturation", None, choice, 0.4, 12.0).rescale == choice
        case _:
            pytest.fail(f"no test of {command} --{option}")


@pytest.mark.parametrize("option", sorted({option for _, option in CHOICES}))
def test_no_help_names_choices_in_words_alone(option: str) -> None:
    """An option of one name has choices in every command that has it, so that none is only told of in its help."""
    with_choices = {command for command, name in CHOICES if name == option}

    def commands(command: Any, name: str) -> Iterator[str]:
        if any(parameter.opts[-1].lstrip("-") == option for parameter in command.params):
            yield name
        for sub, part in getattr(command, "commands", {}).items():
            yield from commands(part, f"{name} {sub}".strip())

    assert set(commands(typer.main.get_command(app), "")) == with_choices
