"""Soil moisture of the top 5 cm at 320 m, with its uncertainty.

The functions of this package are the Python API; each is imported when it is first used.
"""

_MODULES = {
    "archive": ("Archive", "LoadSpec", "open_archive"),
    "batchu2022": ("fit_batchu2022_units", "import_batchu2022"),
    "build": ("build_samples",),
    "evaluate": ("Scorecard", "evaluate", "read_qa4sm"),
    "fetch": ("check_catalogues", "download_ismn", "fetch"),
    "maps": ("estimate_map_cost", "extract_series", "make_daily_maps", "make_map", "open_map"),
    "model": ("TrainedModel", "load_model"),
    "released": ("released_models",),
    "samples": (
        "append_samples",
        "convert_ismn",
        "describe_samples",
        "import_table",
        "open_samples",
        "verify_samples",
    ),
    "serve": ("Exploration", "explore", "export_viewer", "serve"),
    "simulate": ("simulate",),
    "studies": ("build_truth_samples", "compare_simulation", "evaluate_simulation", "run_demo"),
    "train": ("ablate", "open_run", "train"),
}
_OTHERS = {
    "AreaOfInterest": "vadose.grid",
    "ComputeConfig": "vadose.training.compute",
    "DailyReport": "vadose.mapping.daily",
    "Experiment": "vadose.experiment.config",
    "FetchReport": "vadose.catalogues.fetch",
    "InputSpec": "vadose.fusion.input_spec",
    "HistorySpec": "vadose.fusion.input_spec",
    "NoDataError": "vadose.errors",
    "Quality": "vadose.registry",
    "Run": "vadose.experiment.run",
    "SampleStore": "vadose.dataset.store",
    "TilesFailed": "vadose.mapping.request",
    "VadoseError": "vadose.errors",
    "read_experiment": "vadose.experiment.config",
}
_WHERE = _OTHERS | {name: f"vadose.api.{module}" for module, names in _MODULES.items() for name in names}
__all__ = list(_WHERE)


def __getattr__(name: str) -> object:
    from importlib import import_module  # noqa: PLC0415 (the package itself imports nothing)

    if name == "__version__":
        return import_module("importlib.metadata").version("vadose")
    if name not in _WHERE:
        raise AttributeError(f"module 'vadose' has no attribute {name!r}")
    return getattr(import_module(_WHERE[name]), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__, "__version__"})
