"""Write the reference pages that follow from the code: configuration keys and the command line."""

import json
import re
from collections.abc import Iterator, Mapping
from inspect import cleandoc
from pathlib import Path
from typing import Any

import typer
from click import Context
from pydantic import BaseModel, TypeAdapter
from typer.cli import get_docs_for_click

from vadose.cli.main import app
from vadose.dataset import TableMapping
from vadose.evaluation.publications import Publication
from vadose.experiment.config import Experiment
from vadose.products import Product
from vadose.simulation import WorldConfig

REFERENCE = Path(__file__).parent / "reference"
GENERATED = "% Written by docs/generate.py: edit the code, not this page.\n"

FILES: Mapping[str, tuple[type[BaseModel], str]] = {
    "Experiment": (Experiment, "`vadose train EXPERIMENT.yaml`. Example: `configs/conus_10day.yaml`."),
    "Table columns": (TableMapping, "Columns of a matched point table. Example: `configs/tables/conus_10day.yaml`."),
    "Simulated Earth": (
        WorldConfig,
        "The key `preset` (tiny, small, medium or large; small by default) names the preset whose values the other "
        "keys replace. Example: `configs/worlds/two_farms.yaml`.",
    ),
    "Product": (Product, "How a product is read for evaluation. `name` defaults to the file's name without suffix."),
    "Published work": (Publication, "Scores from the literature. Examples: `vadose/evaluation/published`."),
}

_UNITS = (
    "days|hours|minutes|degrees|degrees Celsius|km|m|mm|mm per day|cells|pixels of 10 m|m3 m-3|standard deviations|"
    "kg m-2|epochs|steps|GB"
)
_UNIT = re.compile(rf"^(?P<meaning>[^;.]*?), (?P<unit>{_UNITS})(?P<rest>[;.].*)?$", re.DOTALL)
_LIMITS = {"minimum": "≥ {}", "exclusiveMinimum": "> {}", "maximum": "≤ {}", "exclusiveMaximum": "< {}"}
_TYPES = {"integer": "integer", "number": "number", "boolean": "true or false", "string": "text", "null": "null"}
_PLURALS = {"integer": "integers", "number": "numbers", "string": "texts"}

Schema = Mapping[str, Any]


def configuration() -> str:
    """Return reference of every key of every configuration file, in Markdown."""
    intro = (
        "# Configuration\n\n"
        "Every configuration file is YAML. Unknown keys are errors; the message names each of them. Relative paths are "
        "relative to the folder of the file. A key without a default is required."
    )
    parts = [part for title, (model, text) in FILES.items() for part in _file(title, model, text)]
    return "\n\n".join([GENERATED + intro, *parts]) + "\n"


def command_line() -> str:
    """Return reference of every command, in Markdown."""
    command = typer.main.get_command(app)
    text = get_docs_for_click(obj=command, ctx=Context(command, info_name="vadose"), name="vadose", title="Commands")
    return f"{GENERATED}{text.strip()}\n"


def attributes(docstring: str) -> dict[str, str]:
    """Descriptions of the `Attributes:` section of a docstring; several names may share one."""
    _, _, section = cleandoc(docstring).partition("\nAttributes:\n")
    found: dict[str, str] = {}
    for entry in re.split(r"\n(?=    \S)", section.split("\n\n")[0]):
        names, _, text = entry.strip().partition(":")
        found |= {name.strip(): " ".join(text.split()) for name in names.split(",") if text}
    return found


def meanings(name: str, schema: Schema) -> dict[str, str]:
    """Descriptions of a model's keys, those of its parents included."""
    found = attributes(schema.get("description", ""))
    for one in _models():
        if one.__name__ == name and one.model_fields.keys() == schema["properties"].keys():
            for parent in one.__mro__[: one.__mro__.index(BaseModel)]:
                found = attributes(parent.__doc__ or "") | found
    return found


def sections(model: type[BaseModel]) -> Iterator[tuple[str, str, Schema]]:
    """Key path, name and schema of a model, then of each model that it contains, in the order of their first use."""
    whole = TypeAdapter(model).json_schema()
    definitions, waiting, seen = whole.get("$defs", {}), [("", model.__name__, whole)], {model.__name__}
    while waiting:
        path, name, schema = waiting.pop(0)
        yield path, name, schema
        new = []
        for key, one in schema["properties"].items():
            for used in re.findall(r'"#/\$defs/(\w+)"', json.dumps(one)):
                if used not in seen:
                    seen.add(used)
                    new.append((f"{path}.{key}".strip("."), used, definitions[used]))
        waiting[:0] = new


def _models(parent: type[BaseModel] = BaseModel) -> Iterator[type[BaseModel]]:
    for one in parent.__subclasses__():
        yield from (one, *_models(one))


def _file(title: str, model: type[BaseModel], text: str) -> Iterator[str]:
    yield f"## {title}\n\n{text}"
    for path, name, schema in sections(model):
        heading = f"({_anchor(title, name)})=\n### `{path}`: {name}\n\n" if path else ""
        yield heading + _table(title, schema, meanings(name, schema))


def _table(title: str, schema: Schema, told: Mapping[str, str]) -> str:
    summary = cleandoc(schema.get("description", "")).partition("\n\nAttributes:\n")[0]
    required = schema.get("required", [])
    rows = [_row(title, name, one, told.get(name, ""), name in required) for name, one in schema["properties"].items()]
    head = "| key | type | unit | default | meaning |\n| :-- | :-- | :-- | :-- | :-- |"
    return "\n".join([summary, "", head, *rows])


def _row(title: str, key: str, schema: Schema, told: str, required: bool) -> str:
    found = _UNIT.match(told)
    unit = found["unit"] if found else ""
    meaning = (found["meaning"] + (found["rest"] or "") if found else told).rstrip(".")
    default = "required" if required else _default(schema)
    cells = (f"`{key}`", _type(title, schema), unit, default, meaning[:1].upper() + meaning[1:])
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def _type(title: str, schema: Schema) -> str:
    if "$ref" in schema:
        name = schema["$ref"].rpartition("/")[2]
        return f"[{name}](#{_anchor(title, name)})"
    for kinds in ("anyOf", "oneOf"):
        if kinds in schema:
            return " or ".join(_type(title, one) for one in schema[kinds])
    if "enum" in schema or "const" in schema:
        return ", ".join(f"`{one}`" for one in schema.get("enum", [schema.get("const")]))
    if schema.get("type") == "array":
        return _list(title, schema)
    if schema.get("type") == "object":
        return f"mapping of names to {_type(title, schema.get('additionalProperties', {'type': 'string'}))}"
    name = "path" if schema.get("format") == "path" else _TYPES[schema["type"]]
    limits = " and ".join(text.format(f"{schema[key]:,}") for key, text in _LIMITS.items() if key in schema)
    return f"{name} {limits}".strip()


def _list(title: str, schema: Schema) -> str:
    if "prefixItems" in schema:
        kinds = [_type(title, one) for one in schema["prefixItems"]]
        return f"{len(kinds)} of: {kinds[0]}" if len(set(kinds)) == 1 else ", ".join(kinds)
    items = schema["items"]
    return f"list of {_PLURALS.get(items.get('type', ''), '') if len(items) == 1 else ''}".rstrip() + (
        "" if len(items) == 1 and items.get("type") in _PLURALS else f" {_type(title, items)}"
    )


def _default(schema: Schema) -> str:
    value = schema.get("default")
    if isinstance(value, dict) and value:
        return "its defaults"
    if isinstance(value, list) and value and isinstance(value[0], dict):
        return f"{len(value)} of them"
    return "–" if value in (None, "", [], {}) else f"`{json.dumps(value, ensure_ascii=False)}`".replace('"', "")


def _anchor(title: str, name: str) -> str:
    return f"{title.split(maxsplit=1)[0]}-{name}".lower()


PAGES = {"configuration.md": configuration, "cli.md": command_line}


def main() -> None:
    """Write every generated page that is not current."""
    for name, text in PAGES.items():
        path, now = REFERENCE / name, text()
        if not path.exists() or path.read_text(encoding="utf-8") != now:
            path.write_text(now, encoding="utf-8")


if __name__ == "__main__":
    main()
