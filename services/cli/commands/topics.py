"""``driftloop topics``: make the topics on the broker once, and compare them with their declarations ever after."""

from __future__ import annotations

import typer

DIFFERENT = 1

app = typer.Typer(
    help="The topics on the broker: make them once, compare them with their declarations ever after.",
    no_args_is_help=True,
    rich_markup_mode=None,
)


@app.command(short_help="Make those that are missing; wait for the broker first.")
def create() -> None:
    """Make the topics that are missing, and leave the others as they are. Waits two minutes for the broker.

    DRIFTLOOP_KAFKA_PARTITIONS, _REPLICATION_FACTOR and _MIN_INSYNC_REPLICAS say how; the first can never be changed.
    Exit code 1 if a topic that was there differs from its declaration.
    """
    from services.cli import running
    from shared.adapters.kafka.topics import create as make

    _differences()
    made = make(running.connection(), running.topics(), running.layout())
    print(f"made {', '.join(made)}" if made else "all topics are there")
    _tell(_differences())


@app.command(short_help="Compare them with their declarations; exit code 1 if they differ.")
def verify() -> None:
    """Compare the broker's topics with their declarations; exit code 1 if any is missing or differs."""
    _tell(_differences())
    print("all topics are as declared")


def _tell(differences: list[str]) -> None:
    for each in differences:
        print(each)
    if differences:
        raise typer.Exit(DIFFERENT)


def _differences() -> list[str]:
    """What the broker says, once it answers."""
    from services.cli import running
    from services.cli.waiting import until_answered
    from shared.runtime.ports import LogError

    return until_answered(running.topic_differences, LogError, f"the broker at {running.connection().bootstrap}")
