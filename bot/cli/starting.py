"""The commands that start something: the demo, the processes that work, and runs."""

from __future__ import annotations

import secrets
from typing import Annotated

import typer

from bot.cli.options import AsJson, Dir, settings_of


def demo(
    folder: Dir = None,
    once: Annotated[bool, typer.Option("--once", help="Play one release from command to tag, then exit.")] = False,
    port: Annotated[
        int | None,
        typer.Option(
            "--port", metavar="N", min=0, max=65_535, help="Port of the page.  [default: 8765, or a free one]"
        ),
    ] = None,
    chaos: Annotated[
        bool, typer.Option("--chaos", help="Let that Slack drop, delay, repeat and refuse things, as the real one may.")
    ] = False,
    seed: Annotated[
        int | None, typer.Option("--seed", metavar="N", help="Repeat the chaos of an earlier time.")
    ] = None,
) -> None:
    """Everything in one process, with a Slack of its own on this machine."""
    from bot.console.launch import launch
    from bot.demo.play import play
    from bot.demo.stage import demo_settings

    if seed is not None and not chaos:
        raise typer.BadParameter("--seed is for --chaos; give both, or neither.")
    drawn = secrets.randbelow(10**6) if seed is None else seed
    settings = demo_settings(settings_of(folder))
    launch(lambda: play(settings, once=once, port=port, seed=drawn, stormy=chaos), settings, stays=True)


def serve(folder: Dir = None) -> None:
    """The bot and the engine, for your own Slack."""
    from bot.console.launch import launch
    from bot.console.serve import serve

    settings = settings_of(folder)
    launch(lambda: serve(settings), settings, stays=True)


def worker(folder: Dir = None) -> None:
    """The engine alone; as many of these as you want."""
    from bot.console.launch import launch
    from bot.console.serve import work

    settings = settings_of(folder)
    launch(lambda: work(settings), settings, stays=True)


def run(
    name: Annotated[str, typer.Argument(metavar="NAME", help="The workflow's name.")],
    inputs: Annotated[
        list[str] | None, typer.Argument(metavar="[KEY=VALUE]...", help="The workflow's inputs.", show_default=False)
    ] = None,
    wait: Annotated[bool, typer.Option("--wait", help="Work on it here, and tell what happens until it ends.")] = False,
    as_json: AsJson = False,
    folder: Dir = None,
) -> None:
    """Start a run."""
    from bot.console.launch import launch
    from bot.console.start import start_run

    settings = settings_of(folder)
    launch(lambda: start_run(settings, name, inputs or [], wait=wait, as_json=as_json), settings, stays=wait)


def estimate(
    name: Annotated[str, typer.Argument(metavar="NAME", help="The workflow's name.")],
    inputs: Annotated[
        list[str] | None, typer.Argument(metavar="[KEY=VALUE]...", help="The workflow's inputs.", show_default=False)
    ] = None,
    as_json: AsJson = False,
    folder: Dir = None,
) -> None:
    """Tell what a run may cost, step by step and why; an estimate, before anything is started."""
    from bot.console.estimate import estimate_run
    from bot.console.launch import launch

    settings = settings_of(folder)
    launch(lambda: estimate_run(settings, name, inputs or [], as_json=as_json), settings)


def manifest(
    url: Annotated[
        str | None, typer.Option("--url", metavar="URL", help="Where Slack and people reach the bot: https, no path.")
    ] = None,
    socket: Annotated[bool, typer.Option("--socket", help="For Socket Mode, also with a URL.")] = False,
    many: Annotated[bool, typer.Option("--many", help="For an app that people install in their workspaces.")] = False,
) -> None:
    """Print the Slack app's manifest: for Socket Mode, or for signed HTTP at a URL."""
    from bot.console.launch import launch
    from bot.console.manifest import print_manifest

    launch(lambda: print_manifest(url, socket=socket, many=many), settings_of(None))


def add_to(app: typer.Typer) -> None:
    """Make these commands of ``app``."""
    for command in (demo, serve, worker, run, estimate, manifest):
        app.command(rich_help_panel="Start")(command)
