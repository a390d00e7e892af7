"""Every number of every configuration has honest bounds: none is infinite, negative where counts are, or endless."""

from collections.abc import Iterator
from typing import Any

import pydantic
import pytest

from vadose.dataset import TableMapping
from vadose.evaluation.publications import Publication
from vadose.experiment.config import Experiment
from vadose.products import Product
from vadose.simulation import WorldConfig
from vadose.training import ComputeConfig

MODELS = (Experiment, WorldConfig, TableMapping, Product, ComputeConfig, Publication)


def unbounded(schema: Any, where: str) -> Iterator[str]:
    """Numbers of a JSON schema without a least or a greatest value."""
    if isinstance(schema, list):
        for place, part in enumerate(schema):
            yield from unbounded(part, f"{where}[{place}]")
    if not isinstance(schema, dict):
        return
    if schema.get("type") in ("number", "integer") and "const" not in schema and "enum" not in schema:
        for bounds in (("minimum", "exclusiveMinimum"), ("maximum", "exclusiveMaximum")):
            if not any(bound in schema for bound in bounds):
                yield f"{where}: no {bounds[0]}"
    for name, part in schema.items():
        if name != "default":
            yield from unbounded(part, f"{where}.{name}")


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.__name__)
def test_every_number_of_a_configuration_has_a_least_and_a_greatest_value(model: type) -> None:
    schema = pydantic.TypeAdapter(model).json_schema()
    found = [one for one in unbounded(schema, model.__name__) if ".missing.items" not in one]  # any number may mean it
    assert found == []
