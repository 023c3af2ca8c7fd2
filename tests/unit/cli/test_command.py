"""What all commands share: lists with commas, defaults from environment and file, verbosity, completion, the cache folder."""

import logging
import os
import subprocess
import sys
from pathlib import Path
from typing import Annotated

import pytest
import typer

from video_tcav.cli.app import ending
from video_tcav.cli.command import command, split_lists, with_optional_values
from video_tcav.cli.verbosity import Quiet, Verbose
from video_tcav.core.logs import LOGGER, is_quiet

_log = logging.getLogger("video_tcav.test")


@pytest.fixture
def toy(tmp_path, monkeypatch, capsys):
    """Runs a small command line in an empty folder; returns exit code, what it printed, and errors."""
    app = typer.Typer(add_completion=False)
    group = typer.Typer(name="bank")

    @app.callback()
    def options(quiet: Quiet = False, verbose: Verbose = False) -> None:
        """As the program has them, before the command as well."""

    @command(app)
    def test(
        model: Annotated[str, typer.Option("--model", "-m")],
        layer: Annotated[list[str] | None, typer.Option(metavar="L")] = None,
        frames: Annotated[int | None, typer.Option(min=1)] = None,
        mean: str | None = None,
        strict: Annotated[bool, typer.Option("--strict")] = False,
        report: Annotated[bool, typer.Option("--report/--no-report")] = True,
        cache: Annotated[Path | None, typer.Option()] = None,
    ) -> None:
        """Print the values."""
        _log.info("at work")
        print(model, layer, frames, mean, strict, report, cache, is_quiet())

    @command(app)
    def score(
        videos: list[str],
        model: Annotated[str | None, typer.Option()] = None,
        group: Annotated[str, typer.Option()] = "video",
    ) -> None:
        """Print the values."""
        print(videos, model, group)

    @command(group, "import")
    def import_(bank: str, kind: Annotated[str | None, typer.Option()] = None) -> None:
        """Print the values."""
        print(bank, kind)

    @command(group)
    def check(bank: str) -> None:
        """Print the value."""
        print(bank)

    app.add_typer(group)
    monkeypatch.chdir(tmp_path)

    def run(*arguments: str) -> tuple[int, str, str]:
        monkeypatch.setattr("sys.argv", ["video-tcav", *arguments])
        with pytest.raises(SystemExit) as end:
            ending(app)
        printed = capsys.readouterr()
        return int(end.value.code or 0), printed.out.strip(), printed.err.strip()

    return run


@pytest.mark.parametrize(
    ("texts", "values"),
    [
        (["a", "b"], ["a", "b"]),
        (["a,b", "c"], ["a", "b", "c"]),
        ([" a , b,,c ,"], ["a", "b", "c"]),
        (['"a, b",c'], ["a, b", "c"]),
        (['"say ""a, b"""'], ['say "a, b"']),
        (['"a,b', '5" screen'], ['"a', "b", '5" screen']),
        (["swing=x,court=y"], ["swing=x", "court=y"]),
        (["a\nb,c"], ["a\nb", "c"]),
        ([""], []),
    ],
)
def test_lists_take_commas_and_repetition(texts, values):
    assert split_lists(texts) == values


def test_what_is_a_path_as_a_whole_is_not_split(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("a,b").mkdir()
    Path("list.csv").touch()
    whole = ["a,b", "swing=a,b", "list.csv::left, then right", "swing=list.csv::left, then right"]
    assert split_lists(whole) == whole
    assert split_lists(["a,c", "swing=a,c"]) == ["a", "c", "swing=a", "c"]
    assert split_lists(["a\0,b"]) == ["a\0", "b"]


def test_the_command_line_beats_the_environment_beats_the_file(toy, monkeypatch):
    Path("video-tcav.toml").write_text(
        '[common]\nmodel = "of file"\nframes = 1\n[test]\nlayer = ["a", "b,c"]\nstrict = true\n'
    )
    assert toy("test")[1] == "of file ['a', 'b', 'c'] 1 None True True None False"
    monkeypatch.setenv("VIDEO_TCAV_MODEL", "of environment")
    monkeypatch.setenv("VIDEO_TCAV_TEST_LAYER", "d,e f")
    monkeypatch.setenv("VIDEO_TCAV_STRICT", "0")
    assert toy("test")[1] == "of environment ['d', 'e f'] 1 None False True None False"
    assert toy("test", "-m", "x", "--layer", "g", "--frames", "3")[1] == "x ['g'] 3 None False True None False"


def test_what_is_said_for_one_command_wins_over_what_is_said_for_all(toy, monkeypatch):
    Path("video-tcav.toml").write_text(
        '[common]\ngroup = "all"\n[score]\ngroup = "score"\n[bank.import]\nkind = "still"\n'
    )
    assert toy("score", "v")[1] == "['v'] None score"
    assert toy("bank", "import", "b")[1] == "b still"
    monkeypatch.setenv("VIDEO_TCAV_GROUP", "environment")
    assert toy("score", "v")[1] == "['v'] None environment"
    monkeypatch.setenv("VIDEO_TCAV_SCORE_GROUP", "of score")
    assert toy("score", "v")[1] == "['v'] None of score"
    monkeypatch.setenv("VIDEO_TCAV_SCORE_GROUP", "")  # as if it was not set
    assert toy("score", "v")[1] == "['v'] None environment"
    monkeypatch.setenv("VIDEO_TCAV_BANK_IMPORT_KIND", "moving")
    assert toy("bank", "import", "b")[1] == "b moving"


def test_values_of_the_file_may_be_lists_numbers_flags_and_tables(toy):
    Path("video-tcav.toml").write_text(
        '[test]\nmodel = "m"\nmean = [0.4, 0.5, 0.6]\nreport = false\n[test.layer]\nswing = "clips/swing"\ncourt = ["a", "b"]\n'
    )
    assert toy("test")[1] == "m ['swing=clips/swing', 'court=a', 'court=b'] None 0.4,0.5,0.6 False False None False"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[tset]", "`[tset]` must be common or a command. Got 'tset'. Did you mean test?"),
        ("[test]\nlayers = 'a'", "`test.layers` must be the name of an option. Got 'layers'. Did you mean layer?"),
        ("[common]\nmodle = 'a'", "`common.modle` must be the name of an option. Got 'modle'. Did you mean model?"),
        ("[bank]\nkind = 'a'", "`bank.kind` must stand in a table. Got it outside of any."),
        ("[bank.imports]", "`[bank.imports]` must be common or a command. Got 'imports'. Did you mean import?"),
        ("model = 'a'", "`model` must stand in a table. Got it outside of any. Write it below [common]"),
        ("[test\n", "`video-tcav.toml` must be a readable file in TOML. Got: Expected ']'"),
        ("[test]\nframes = 0", "`video-tcav.toml: test.frames` must be a value of --frames. Got '0': "),
        ("[common]\nhelp = true", "`common.help` must be the name of an option. Got 'help'."),
    ],
)
def test_a_mistake_in_the_file_is_one_line(toy, text, message):
    Path("video-tcav.toml").write_text(text)
    code, printed, error = toy("test", "-m", "x")
    assert code == 2
    assert not printed
    assert error.startswith("error: ")
    assert message in error
    assert len(error.splitlines()) == 1


def test_a_value_of_the_environment_that_cannot_be_used_names_its_variable(toy, monkeypatch):
    monkeypatch.setenv("VIDEO_TCAV_FRAMES", "many")
    code, _, error = toy("test", "-m", "x")
    assert code == 2
    assert error.startswith("error: `VIDEO_TCAV_FRAMES` must be a value of --frames. Got 'many': ")
    assert error.endswith(". Correct it.")


def test_without_arguments_there_is_help_unless_nothing_is_missing(toy, monkeypatch):
    code, printed, error = toy("test")
    assert code == 2
    assert "Usage:" in printed + error
    monkeypatch.setenv("VIDEO_TCAV_MODEL", "m")
    assert toy("test")[1].startswith("m None")
    assert "Usage:" in "".join(toy("score")[1:])  # its videos are missing


def test_a_cache_without_a_folder_is_the_default_one(toy, tmp_path, monkeypatch):
    monkeypatch.delenv("VIDEO_TCAV_CACHE", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    assert toy("test", "--cache", "-m", "x")[1].split()[-2] == str(tmp_path / "xdg/video-tcav")
    assert toy("test", "-m", "x", "--cache")[1].split()[-2] == str(tmp_path / "xdg/video-tcav")
    assert toy("test", "-m", "x", "--cache", "here")[1].split()[-2] == "here"
    monkeypatch.setenv("VIDEO_TCAV_CACHE", "there")
    assert toy("test", "-m", "x")[1].split()[-2] == "there"
    assert toy("test", "-m", "x", "--cache")[1].split()[-2] == "there"
    assert with_optional_values([]) == []


def test_verbose_says_what_is_used_and_quiet_says_nothing(toy, monkeypatch):
    monkeypatch.setenv("VIDEO_TCAV_MODEL", "m")
    level, handlers = LOGGER.level, list(LOGGER.handlers)
    assert toy("test")[2] == ""
    for arguments in (("-v", "test"), ("test", "-v"), ("test", "--verbose")):
        assert toy(*arguments)[2].splitlines() == ["info: VIDEO_TCAV_MODEL: m", "info: at work"]
    for arguments in (("-q", "test"), ("test", "--quiet")):
        code, printed, error = toy(*arguments)
        assert (code, error) == (0, "")
        assert printed.endswith("True")
    monkeypatch.setenv("VIDEO_TCAV_VERBOSE", "1")
    assert "info: at work" in toy("test")[2]
    assert (LOGGER.level, LOGGER.handlers) == (level, handlers)


def test_help_shows_that_a_list_takes_several(toy):
    assert "L,…" in toy("test", "--help")[1]


def test_a_shell_can_complete(tmp_path):
    asked = {"_VIDEO_TCAV_COMPLETE": "complete_bash", "COMP_WORDS": "video-tcav tes", "COMP_CWORD": "1"}
    (tmp_path / "video-tcav.toml").write_text("[no such table]")  # a mistake that must not stand in the way
    run = "import sys; sys.argv = ['video-tcav']; from video_tcav.cli.app import main; main()"
    done = subprocess.run(
        [sys.executable, "-c", run],
        env={**os.environ, **asked},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.stdout.split() == ["test"]


def test_the_library_is_silent_unless_somebody_listens(capsys):
    logging.getLogger("video_tcav.results").warning("to be believed with care")
    assert capsys.readouterr().err == ""
