"""Fixtures of the tests of reports."""

from pathlib import Path

import pytest
from PIL import Image

from fixtures import invented_runs as invented
from fixtures.parsed import Page
from impasto.metrics.results import Evaluation
from impasto.reports.evaluation import write_evaluation


@pytest.fixture(scope="session")
def monets(shared_data: Path) -> Path:
    """The folder of the Monet paintings of Kaggle's competition."""
    return shared_data / "kaggle_monet" / "monet_jpg"


@pytest.fixture(scope="session")
def scored() -> Evaluation:
    """An evaluation of translations, with metrics of content preservation."""
    return invented.evaluation(content=invented.CONTENT)


@pytest.fixture(scope="session")
def copies(monets: Path, scored: Evaluation) -> Image.Image:
    """The suspects of that evaluation beside their nearest reals."""
    return invented.copies_sheet(monets, scored)


@pytest.fixture(scope="session")
def evaluation_page(scored: Evaluation, copies: Image.Image, tmp_path_factory: pytest.TempPathFactory) -> Page:
    """The page of that evaluation, with contact sheets."""
    sheets = (Image.new("RGB", (262, 262), "red"), Image.new("RGB", (262, 262), "blue"))
    return Page(write_evaluation(scored, copies, sheets, tmp_path_factory.mktemp("evaluation")))
