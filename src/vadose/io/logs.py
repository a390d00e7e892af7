"""Logging of the package and of its worker processes: to the terminal, and to one file."""

import logging
import os
import re
import time
from pathlib import Path

LOG_FILE = "VADOSE_LOG_FILE"
"""Environment variable that names the log file to worker processes."""
PRINTED = {"printed": True}
"""`extra` of a record that has already been printed to the terminal."""
_LINE = "%(asctime)sZ %(process)d %(levelname)s %(name)s: %(message)s"
_SIGNED = re.compile(r"(\w+://[^\s?'\"]+)\?[^\s'\"]+")
_USER = re.compile(r"(\w+://)[^\s/@'\"]+@")


def redacted(text: str) -> str:
    """Remove queries (signatures, tokens) and user names with passwords from addresses in a text."""
    return _USER.sub(r"\1…@", _SIGNED.sub(r"\1?…", text))


class LogFormatter(logging.Formatter):
    """Formatter with times in UTC and addresses without secrets."""

    converter = time.gmtime  # type: ignore[assignment]

    def format(self, record: logging.LogRecord) -> str:
        """Format a record."""
        return redacted(super().format(record))


class _LogFile(logging.FileHandler):
    """Handler of the log file; each record is appended in one write, so that several processes share the file."""


def begin_logging(file: Path | None, terminal: logging.Handler | None = None, verbose: bool = False) -> None:
    """Log to a file, and to the terminal.

    Args:
        file: appended to; records of the package at INFO, of other packages at WARNING.
        terminal: receives the package's warnings, and if `verbose` its records at INFO, except printed ones.
        verbose: whether the terminal shows INFO.

    Raises:
        OSError: the file cannot be written.
    """
    end_logging()
    package = logging.getLogger("vadose")
    if file is not None:
        logging.getLogger().addHandler(_log_file(file))
        os.environ[LOG_FILE] = str(file.absolute())
    if terminal is not None:
        terminal.setLevel(logging.INFO if verbose else logging.WARNING)
        terminal.addFilter(lambda record: not getattr(record, "printed", False))
        package.addHandler(terminal)
    package.setLevel(logging.INFO if verbose or file else logging.WARNING)


def end_logging() -> None:
    """End the logging that `begin_logging` started."""
    package = logging.getLogger("vadose")
    for logger in (logging.getLogger(), package):
        for handler in [one for one in logger.handlers if isinstance(one, _LogFile | ConsoleHandler)]:
            logger.removeHandler(handler)
            handler.close()
    os.environ.pop(LOG_FILE, None)
    package.setLevel(logging.NOTSET)


def log_in_worker() -> None:
    """Log to the file of the process that started this one, if it has one."""
    file, root = os.environ.get(LOG_FILE), logging.getLogger()
    if file and not any(isinstance(one, _LogFile) for one in root.handlers):
        root.addHandler(_log_file(Path(file)))
        logging.getLogger("vadose").setLevel(logging.INFO)


class ConsoleHandler(logging.Handler):
    """Return the handler of the terminal."""


def _log_file(file: Path) -> _LogFile:
    handler = _LogFile(file, mode="a", encoding="utf-8")
    handler.setFormatter(LogFormatter(_LINE, "%Y-%m-%dT%H:%M:%S"))
    handler.addFilter(lambda record: "GDAL_SKIP" not in record.getMessage())  # drivers missing in this GDAL build
    return handler
