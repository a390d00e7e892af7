import logging
import os
import sys

import pytest

from vadose.cli.console import Terminal, echo, log_to
from vadose.cli.main import main
from vadose.io.logs import LOG_FILE, begin_logging, end_logging, redacted
from vadose.io.processes import processes

LOGGER = logging.getLogger("vadose.test")


@pytest.fixture(autouse=True)
def _ended():
    yield
    end_logging()


def work(number):
    LOGGER.info("task %d", number)
    return os.getpid()


def run(monkeypatch, *words):
    monkeypatch.setattr(sys, "argv", ["vadose", *map(str, words)])
    with pytest.raises(SystemExit) as ended:
        main()
    return ended.value.code


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("at https://a.b/c.tif?sig=SECRET&se=1 now", "at https://a.b/c.tif?… now"),
        ("'s3://bucket/key?X-Amz-Signature=SECRET'", "'s3://bucket/key?…'"),
        ("https://me:SECRET@a.b/c", "https://…@a.b/c"),
        ("is it wet? yes: /data/a@b.tif", "is it wet? yes: /data/a@b.tif"),
    ],
)
def test_addresses_are_logged_without_secrets(tmp_path, text, left):
    assert redacted(text) == left
    begin_logging(tmp_path / "log.txt")
    LOGGER.info("%s", text)
    try:
        raise OSError(text)
    except OSError:
        LOGGER.exception("failed")
    told = (tmp_path / "log.txt").read_text()
    assert told.count(left) == 2 and "SECRET" not in told


def test_records_of_worker_processes_reach_the_file(tmp_path):
    file = tmp_path / "log.txt"
    begin_logging(file)
    with processes(2) as pool:
        workers = {pool.submit(work, number).result() for number in range(4)}
    lines = file.read_text().splitlines()
    assert sorted(line.rsplit(": ", 1)[1] for line in lines) == [f"task {number}" for number in range(4)]
    assert os.getpid() not in workers
    assert {int(line.split()[1]) for line in lines} == workers


def test_a_second_command_of_one_process_logs_once_and_to_its_own_file(tmp_path):
    begin_logging(tmp_path / "first.txt")
    begin_logging(tmp_path / "second.txt")
    LOGGER.info("done")
    assert (tmp_path / "first.txt").read_text() == ""
    assert (tmp_path / "second.txt").read_text().count("done") == 1
    end_logging()
    assert LOG_FILE not in os.environ
    LOGGER.info("later")
    assert "later" not in (tmp_path / "second.txt").read_text()


@pytest.mark.parametrize("verbose", [False, True])
def test_each_line_is_on_the_terminal_once(tmp_path, capsys, verbose):
    log_to(tmp_path / "log.txt", verbose, "map a b")
    LOGGER.info("read [1] of 2 files")
    LOGGER.warning("odd")
    logging.getLogger("another.package").warning("of another package")
    echo("a result")
    out, err = capsys.readouterr()
    assert out == "a result\n"
    assert "of another package" not in err
    assert ("read [1] of 2 files" in err) == verbose and "result" not in err and err.count("odd") == 1
    told = (tmp_path / "log.txt").read_text()
    assert [told.count(text) for text in ("map a b", "read [1]", "odd", "of another", "a result")] == [1] * 5


def test_without_options_only_warnings_are_shown(capsys):
    begin_logging(None, Terminal())
    LOGGER.info("quiet")
    LOGGER.warning("loud")
    assert capsys.readouterr().err == "WARNING loud\n"


def test_the_error_of_a_command_is_in_the_file_and_on_the_terminal_once(tmp_path, monkeypatch, capsys):
    file = tmp_path / "log.txt"
    assert run(monkeypatch, "--verbose", "--log-file", file, "train", tmp_path / "none.yaml") == 2
    _, err = capsys.readouterr()
    assert err.count("cannot be read") == 1
    told = file.read_text()
    assert "ERROR" in told and told.count("cannot be read") == 1 and "train" in told.splitlines()[0]


def test_a_log_file_that_cannot_be_written_is_an_error(tmp_path, monkeypatch, capsys):
    assert run(monkeypatch, "--log-file", tmp_path, "train", tmp_path / "none.yaml") == 2
    assert str(tmp_path) in capsys.readouterr().err


def test_the_version_is_printed(monkeypatch, capsys):
    from vadose import __version__

    assert run(monkeypatch, "--version") == 0
    assert capsys.readouterr().out.strip() == __version__
