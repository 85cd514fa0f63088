"""Training runs: curves, samples, scores, reports, and their best styles."""

from contextlib import suppress
from typing import Annotated

from fastapi import APIRouter, Response
from fastapi import Path as PathParameter
from fastapi.responses import HTMLResponse
from pydantic import BaseModel, ConfigDict

from impasto.errors import ImpastoError
from impasto.serving.guard import FILE_POLICY
from impasto.serving.jobs import ENDED, QueueFullError
from impasto.serving.library import NotFoundError
from impasto.serving.routes import InStudio, Studio
from impasto.serving.routes.downloads import FILE, Download
from impasto.serving.shelf import add_style, styles
from impasto.serving.tables import Job
from impasto.serving.tasks import TASKS
from impasto.serving.tasks.base import Identifier, StyleName
from impasto.serving.tasks.sharing import ExampleRequest
from impasto.serving.views import RunsView, RunView, StyleView, run_view, run_views, sample_step

router = APIRouter(prefix="/v1/runs", tags=["runs"])


class NewStyle(BaseModel):
    """The name under which a run's best style is kept."""

    model_config = ConfigDict(extra="forbid")

    name: StyleName


def _training(studio: Studio, run: str) -> Job:
    job = studio.queue.job(run)
    if job.kind != "train":
        raise NotFoundError(f"There is no run {run}.")
    return job


@router.get("", summary="List runs")
def runs(studio: InStudio) -> RunsView:
    """Newest first, without curves and scores."""
    found = studio.queue.jobs(kind="train", limit=200)
    return RunsView(runs=run_views(found, studio.queue, studio.library))


@router.get("/{run}", summary="Describe a run with its curves")
def describe(studio: InStudio, run: Identifier) -> RunView:
    return run_view(_training(studio, run), studio.queue, studio.library)


@router.delete("/{run}", status_code=204, summary="Delete an ended run")
def delete(studio: InStudio, run: Identifier) -> Response:
    """With its job, which is the same."""
    studio.library.delete_job(_training(studio, run).id)
    return Response(status_code=204)


@router.get("/{run}/samples/{step}.jpg", response_class=Response, responses=FILE, summary="Samples at a step")
def sample(studio: InStudio, run: Identifier, step: Annotated[int, PathParameter(ge=0, le=10**12)]) -> Download:
    """A grid, always of the same noise or photos."""
    folder = studio.library.runs / _training(studio, run).id / "samples"
    found = [path for path in folder.glob("step-*.jpg") if sample_step(path) == step]
    if not found:
        raise NotFoundError(f"There are no samples of step {step}.")
    return Download(found[0], "image/jpeg", cache="private, max-age=3600")


@router.get("/{run}/report", response_class=HTMLResponse, summary="The report of a run")
def report(studio: InStudio, run: Identifier) -> HTMLResponse:
    """An HTML page that stands by itself; of an unfinished run it is written anew."""
    from impasto.reports.run import write_report

    job = _training(studio, run)
    folder = studio.library.runs / job.id
    if not (folder / "run.json").exists():
        raise NotFoundError("The training has not begun.")
    path = folder / "report.html"
    if job.state not in ENDED or not path.exists():
        write_report(folder)
    text = studio.library.hide_paths(path.read_text(encoding="utf-8"))
    return HTMLResponse(text, headers={"content-security-policy": FILE_POLICY})


@router.post("/{run}/style", status_code=201, summary="Keep the best style of a run")
def keep(studio: InStudio, run: Identifier, style: NewStyle) -> StyleView:
    """Copy it among the styles of the studio."""
    best = studio.library.runs / _training(studio, run).id / "best.safetensors"
    if not best.is_file():
        raise ImpastoError("This run has no style yet.")
    add_style(studio.library, style.name, best)
    with suppress(QueueFullError):  # the example is ordered at the next start
        studio.submit(TASKS["example"], ExampleRequest(style=style.name))
    found = next(each for each in styles(studio.library) if each.name == style.name)
    return StyleView.of(found, studio.library)
