"""``driftloop init``: a small project from a recorded stream."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from services.cli.errors import UserError
from services.cli.folders import try_folder
from services.cli.recorded import Recorded, recorded

if TYPE_CHECKING:
    from services.embedded.inference import Inferred
    from shared.domain.contract import Contract

SAMPLE_ROWS = 200
FOLDERS = ("tests", ".github/workflows")
"""Those of the project's files, within its own."""


def command(
    data: Annotated[Path, typer.Argument(help="CSV, CSV.gz or Parquet: one row per record, in time order.")],
    label: Annotated[str, typer.Option(help="Column to predict.")],
    drop: Annotated[list[str] | None, typer.Option(help="Column that is no feature; may be repeated.")] = None,
    out: Annotated[Path, typer.Option(help="Folder of the new project.")] = Path(),
) -> None:
    """Start a project: pipeline file, sample, contract test, CI job. Overwrites nothing."""
    from services.embedded.inference import Wish, infer

    for each in (out, *(out / name for name in FOLDERS)):
        try_folder(each, "--out")
    stream = recorded(data)
    found = infer(stream.name, stream.seen, Wish(label, tuple(drop or ()), strict=True))
    files = _files(stream, found)
    _refuse_to_overwrite(out, files)
    for name, text in files.items():
        (out / name).parent.mkdir(parents=True, exist_ok=True)
        (out / name).write_text(text, "utf-8")
        print(f"wrote {out / name}")
    for note in found.notes:
        print(f"note: {note}")
    print(f"\nNext: driftloop backtest {data} --pipeline {out / 'pipeline.yaml'}")


def _files(stream: Recorded, found: Inferred) -> dict[str, str]:
    from services.cli import scaffold

    return {
        "pipeline.yaml": scaffold.pipeline_file(found, stream.seen),
        "sample.csv": _sample(stream, found.pipeline.contract),
        "tests/test_contract.py": scaffold.TEST,
        ".github/workflows/driftloop.yml": scaffold.JOB,
        "README.md": scaffold.readme(found),
    }


def _refuse_to_overwrite(out: Path, files: dict[str, str]) -> None:
    there = [name for name in files if (out / name).exists()]
    if there:
        raise UserError(f"{out / there[0]}: exists already, and nothing is overwritten; give another --out folder")


def _sample(stream: Recorded, contract: Contract) -> str:
    """The first rows, but for those that would be refused: the sample is what the contract promises."""
    import pyarrow as pa
    import pyarrow.csv as pacsv

    from services.ingestion.typed import typed_batch

    rows = next(stream.batches(SAMPLE_ROWS))
    _, dead = typed_batch(rows, contract, "sample")
    refused = {each.row for each in dead}
    rows = rows.take([place for place in range(rows.num_rows) if place not in refused])
    sink = pa.BufferOutputStream()
    pacsv.write_csv(pa.Table.from_batches([rows]), sink)
    return sink.getvalue().to_pybytes().decode()  # type: ignore[no-any-return]
