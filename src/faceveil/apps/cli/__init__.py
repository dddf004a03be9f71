"""The command line: thin. It turns words into a policy and tasks, shows progress, and ends with one of four codes."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

import click

from faceveil import __version__
from faceveil.errors import Exit, FaceveilError


class _Commands(click.Group):
    """A group whose default command is `veil`: `faceveil photo.jpg` needs no verb."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        own = ("--help", "-h", "--version")
        if args and args[0] not in self.list_commands(ctx) and args[0] not in own:
            args = ["veil", *args]
        return super().parse_args(ctx, args)

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        # Each command's module is imported when it is called: `faceveil doctor` loads no batch machinery.
        if cmd_name not in _COMMANDS:
            return None
        from importlib import import_module  # noqa: PLC0415

        command: click.Command = getattr(import_module(f"faceveil.apps.cli.{_COMMANDS[cmd_name]}"), cmd_name)
        return command


_COMMANDS = {
    "veil": "veil",
    "apply": "veil",
    "live": "live",
    "run": "run",
    "check": "check",
    "annotate": "annotate",
    "evaluate": "evaluate",
    "calibrate": "calibrate",
    "detectors": "about",
    "methods": "about",
    "recognisers": "about",
    "doctor": "about",
    "models": "models",
}

EXAMPLES = """\b
Examples:
  faceveil photo.jpg                       writes photo_veiled.jpg
  faceveil clip.mp4                        writes clip_veiled.mp4
  faceveil holiday/ -o out --report r.json a folder, with an account of each file
  faceveil photo.jpg -m mosaic:cells=4     another method (faceveil methods)
  faceveil holiday/ --plan plan.jsonl      look only; edit the plan, then
  faceveil apply plan.jsonl -o out         cover what it names
  faceveil annotate holiday/ -o faces.json faces to correct, then: holiday/ --annotations faces.json
  faceveil run job.yml                     all of it from one file; PeekingDuck's files too
"""


@click.group(
    cls=_Commands,
    context_settings={"help_option_names": ["-h", "--help"], "terminal_width": 110},
    epilog=EXAMPLES,
    subcommand_metavar="INPUT... | COMMAND",
)
@click.version_option(__version__, prog_name="faceveil")
def cli() -> None:
    """De-identify the faces in pictures and videos.

    INPUT is a file, a folder or a pattern. The originals are never touched.
    Options for INPUT are shown by: faceveil veil --help
    """


def main(arguments: Sequence[str] | None = None) -> None:
    """Entry point of the `faceveil` command."""
    try:
        code = cli.main(args=arguments, prog_name="faceveil", standalone_mode=False)
    except FaceveilError as error:
        code = _complain(str(error), error.exit_code)
    except click.ClickException as error:
        code = _complain(error.format_message(), Exit.WRONG_REQUEST)
    except (KeyboardInterrupt, click.Abort):
        code = _complain("interrupted", 130)
    except BrokenPipeError:  # the reader of our output has gone, as in `faceveil methods | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = 1
    sys.exit(code)


def _complain(message: str, code: int) -> int:
    click.echo(f"faceveil: {message}", err=True)
    return int(code)
