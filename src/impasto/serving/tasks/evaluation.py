"""Score a style, or images, against real paintings."""

from math import isfinite
from typing import Any

from pydantic import Field, model_validator

from impasto.metrics.formatting import format_value
from impasto.serving.shelf import style_file
from impasto.serving.tasks.base import Identifier, StyleName, TaskContext, TaskRequest, task


class EvaluateRequest(TaskRequest):
    """A style or images, and the real images to compare them with."""

    style: StyleName | None = None
    files: list[Identifier] = Field([], max_length=10_000, description="Images to score, instead of a style.")
    against: list[Identifier] = Field(min_length=1, max_length=10_000, description="Real images, or a zip of them.")
    photos: list[Identifier] = Field([], max_length=10_000, description="Photos that a translation style translates.")
    count: int | None = Field(None, ge=2, le=10_000)

    def files_read(self) -> list[str]:
        return [*self.files, *self.against, *self.photos]

    @model_validator(mode="after")
    def _one_of_both(self) -> "EvaluateRequest":
        if (self.style is None) == (not self.files):
            raise ValueError("give either a style or files to score")
        return self


@task("evaluate", EvaluateRequest, summary="Score a style or images against real paintings")
def evaluate(request: EvaluateRequest, context: TaskContext) -> dict[str, Any]:
    """Store the report; return scores and the lines of the summary."""
    from impasto.api.evaluate import evaluate as evaluate_images
    from impasto.reports.evaluation_text import summarise

    if request.style is not None:
        fakes = style_file(context.library, request.style)
    else:
        fakes = context.folder_of("fakes", request.files)
    out = context.folder / "evaluation"
    found = evaluate_images(
        fakes,
        context.folder_of("against", request.against),
        out,
        photos=context.folder_of("photos", request.photos) if request.photos else None,
        count=request.count,
        device=context.device,
        progress=lambda done, total: context.progress(done, total, "images"),
    )
    context.report_of(out / "evaluation.html")
    scores = [
        {
            "label": scores.label(name),
            "value": value.value if isfinite(value.value) else None,
            "detail": f"{format_value(value)} ({scores.counts})",
        }
        for scores in found.scores
        for name, value in scores.values.items()
    ]
    return {"scores": scores, "verdict": [context.library.hide_paths(line) for line in summarise(found)]}
