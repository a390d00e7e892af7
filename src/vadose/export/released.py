"""Models to give away: a run without its samples and readings, with its card."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from vadose.experiment.kind_weights import WEIGHTS
from vadose.experiment.run import CALIBRATION, Run
from vadose.export.card import model_card
from vadose.io import files
from vadose.io.outputs import Request
from vadose.training.checkpoint import DESCRIPTION, signed

CARD, DECLARATION, SCORES = "MODEL_CARD.md", "experiment.json", "scorecard.json"
LEFT = ("headline", "made_from")
"""Parts of a scorecard that a released model keeps: no figure of a single sensor."""


def release_run(run: Run, out: Path, notes: str = "") -> Path:
    """Write a finished run as a folder that every command takes as a run: networks, weights, calibration and card.

    Samples, readings and estimates stay behind, as do the folders of the samples.

    Args:
        run: a finished run.
        out: folder of the model.
        notes: Markdown that is added to the card, such as scores at other places.

    Raises:
        VadoseError: the run is incomplete, or `out` is the result of another request.
    """
    request = Request.of("models release", out, run=run.folder, notes=notes)
    with request.store(out, SCORES) as held, files.atomic_write(held) as new:
        new.mkdir(parents=True)
        card = model_card(run, run.members(), {}) + (f"\n{notes.strip()}\n" if notes.strip() else "")
        (new / CARD).write_text(card, encoding="utf-8")
        files.write_json(new / DECLARATION, _without_folders(files.read_json(run.declaration)))
        scores = files.read_json(run.folder / SCORES)
        files.write_json(new / SCORES, {"request": request.mark} | {name: scores[name] for name in LEFT})
        for name in (run.split.name, CALIBRATION, WEIGHTS):
            if (run.folder / name).exists():
                (new / name).write_bytes((run.folder / name).read_bytes())
        for path in run.networks():
            target = new / path.relative_to(run.folder)
            target.mkdir(parents=True)
            for part in path.iterdir():
                if part.name == DESCRIPTION:
                    files.write_json(target / part.name, signed(_without_folders(files.read_json(part, nan=True))))
                else:
                    (target / part.name).write_bytes(part.read_bytes())
    return out


def card_of(run: Run) -> str:
    """Return the model card of a released model, or of a finished run, as Markdown.

    Raises:
        VadoseError: there is no such model, or the run is incomplete.
    """
    run.experiment()
    path = run.folder / CARD
    return path.read_text(encoding="utf-8") if path.is_file() else model_card(run, run.members(), {})


def _without_folders(content: Mapping[str, Any]) -> dict[str, Any]:
    """Return a description in which the paths of samples are names."""
    copied: dict[str, Any] = json.loads(json.dumps(content))
    made_from = copied["made_from"]
    experiment = made_from.get("experiment", made_from)
    places = (
        (experiment["samples"], ("table", "columns", "archive", "store", "in_situ")),
        (experiment, ("start_from",)),
    )
    for part, keys in places:
        part |= {key: Path(part[key]).name for key in keys if part.get(key)}
    return copied
