"""Export of the networks of a run for programs without vadose."""

from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

from vadose.dataset.calibrations import CALIBRATIONS, to_dict
from vadose.experiment.product_identity import CHECKPOINT_PRODUCTS, products_of_run
from vadose.experiment.run import Run
from vadose.export.card import model_card, read_scores
from vadose.export.formats import Format, format_of, write_graph
from vadose.export.module import OUTPUTS, ExportModule
from vadose.io import files
from vadose.io.outputs import Request
from vadose.registry import PREDICTORS

INPUTS = "inputs.json"
"""Inputs of the model; the file is written with the others and contains the request."""


def export_run(folder: Path, out: Path, forms: Sequence[str]) -> tuple[Path, ...]:
    """Write all networks of a run as one graph, with its inputs and its model card.

    Args:
        folder: folder of the run.
        out: folder of `model.onnx` or `model.pt2`, `inputs.json` and `MODEL_CARD.md`.
        forms: onnx, pt2, or both.

    Raises:
        VadoseError: the format is unknown, the run is missing or unfinished, or the graph differs from the networks;
            nothing is written then.
    """
    known = [format_of(form) for form in dict.fromkeys(forms)]
    request = Request.of("export", out, run=folder, forms=sorted(known))
    names = [*(f"model.{form}" for form in known), "MODEL_CARD.md", INPUTS]
    with request.files(out, names, INPUTS) as held, files.renewing(held) as new:
        written = _export(Run(folder), new, known, request.mark)
    return tuple(out / path.name for path in written)


def _export(run: Run, out: Path, known: Sequence[Format], mark: str) -> tuple[Path, ...]:
    members = run.members()
    experiment, calibration = run.experiment(), run.calibration()
    read_scores(run)  # an unfinished run is refused before the graphs are made, which takes minutes
    released = ExportModule(members, calibration.whole, calibration.without)
    products = products_of_run(run.networks())
    graphs = {form: out / f"model.{form}" for form in known}
    inputs, card = out / INPUTS, out / "MODEL_CARD.md"
    with ExitStack() as whole:
        apart = {
            path.name: write_graph(released, whole.enter_context(files.atomic_write(path)), form)
            for form, path in graphs.items()
        }
        said = files.metadata("release", experiment.model_dump(mode="json")) | {
            "request": mark,
            "simulated": experiment.simulated,
            "networks": len(members),
            "needs": released.needs.describe(),
            "inputs": released.inputs,
            "outputs": OUTPUTS,
            CHECKPOINT_PRODUCTS: products,
            "units": {name: PREDICTORS[name].units for name in sorted(released.needs.names)},
        }
        said |= {CALIBRATIONS: published} if (published := to_dict(run.input_calibrations())) else {}
        whole.enter_context(files.atomic_write(card)).write_text(model_card(run, members, apart), encoding="utf-8")
        files.write_json(whole.enter_context(files.atomic_write(inputs)), said)
    return *graphs.values(), inputs, card
