"""One vocabulary: the same option means the same in every command, and every screen fits."""

import subprocess
import sys
from collections import defaultdict

import click
import pytest
from commands import run

from odforecast.cli import COMMANDS, main

#: What an option writes or is the default of, differs by command; nothing else does.
MAY_DIFFER = {
    "--out": {"help", "metavar", "kind", "required"},
    "--horizon": {"help"},  # its default, which is in the words
    "--locations": {"help", "default"},  # beside the US, which scenarios always show
    "--all": {"help"},  # of the models, of the checks
    "--scenario": {"help", "required"},  # what it is for
    "--draws": {"name", "help", "default"},  # those of a scenario stand for more paths
    "--html": {"help"},  # which page
    "--series": {"help"},  # with a scenario of an update
    "--onset": {"help"},  # its default: a clock begins at the newest release
    "--joint": {"help"},  # of states and paths, or of any hub's samples
}


def walk(group=main, path=()):
    if not isinstance(group, click.Group):
        yield path, group
        return
    context = click.Context(group)
    for name in group.list_commands(context):
        found = group.get_command(context, name)
        assert found is not None, name
        yield from walk(found, (*path, name))


EVERY = dict(walk())


def options(command):
    return (option for option in command.params if isinstance(option, click.Option))


def meaning(option):
    choices = getattr(option.type, "choices", None)
    limits = {k: getattr(option.type, k, None) for k in ("min", "max", "dir_okay", "file_okay")}
    kind = (type(option.type).__name__, choices and tuple(choices), tuple(limits.items()))
    same = {k: getattr(option, k) for k in ("name", "help", "metavar", "default", "required")}
    return same | {"kind": kind, "many": (option.multiple, option.is_flag)}


def test_the_same_option_means_the_same_everywhere():
    seen: dict[str, dict[str, dict[str, object]]] = defaultdict(dict)
    for path, command in EVERY.items():
        for option in options(command):
            name, *others = option.opts
            assert set(others) <= {"--state", "--counties"}, f"{option.opts} are two names"
            seen[name]["odforecast " + " ".join(path)] = meaning(option)
    different = []
    for name, uses in seen.items():
        (first, one), *rest = uses.items()
        for where, other in rest:
            for key, value in one.items():
                if value != other[key] and key not in MAY_DIFFER.get(name, ()):
                    different.append(f"{name} {key}: {first} {value!r}, {where} {other[key]!r}")
    assert not different, "\n".join(different)


def test_every_command_and_option_says_what_it_is():
    for name, (_, words) in COMMANDS.items():
        assert main.get_command(click.Context(main), name) is not None
        assert words.endswith((".", "?"))
        assert len(words) <= 66
    for path, command in EVERY.items():
        for option in options(command):
            assert option.help or option.hidden, f"{path} {option.opts}"
            if not option.is_flag and not getattr(option.type, "choices", None):
                assert option.metavar, f"{path} {option.opts} shows its type, not what to give"


@pytest.mark.parametrize("path", [*EVERY, ("data",), ("scenario",), ()], ids=" ".join)
def test_help_fits_a_screen(path):
    done = run(*path, "--help")
    assert done.exit_code == 0, done.output
    assert max(map(len, done.output.splitlines())) <= 80


def test_python_m_names_itself():
    for module in ("odforecast", "odforecast.cli"):
        command = [sys.executable, "-m", module, "forcast"]
        lost = subprocess.run(command, capture_output=True, text=True, check=False)
        assert lost.returncode == 2
        assert lost.stderr.startswith("Usage: odforecast ")
        assert "Did you mean 'forecast'?" in lost.stderr
