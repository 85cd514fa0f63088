"""One process of a training: build the trainer, restore a checkpoint, train, then sample, evaluate and report."""

import contextlib
import logging
import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from impasto import parallel
from impasto.api.training_data import DataSplits, Stores, split_stores
from impasto.data.augment import to_pixels
from impasto.data.image_grid import tile
from impasto.data.loader import FEW_HELDOUT
from impasto.device import InsufficientMemoryError, open_fabric, out_of_memory
from impasto.files import DiskFullError, atomic_write
from impasto.inference.image_sets import GeneratedImages, TranslatedImages
from impasto.inference.load import for_task
from impasto.inference.sampler import Sampler
from impasto.inference.translator import Translator
from impasto.metrics.candidates import CandidateScorer, open_networks
from impasto.metrics.evaluation import evaluate_images, score_images
from impasto.metrics.memorisation_finding import assess_memorisation
from impasto.metrics.results import Evaluation
from impasto.parallel import LostProcessError
from impasto.reports.evaluation_text import summarise
from impasto.reports.run import write_report
from impasto.style import Style, find_style
from impasto.training import checkpoint
from impasto.training.callbacks import Callback, Observer
from impasto.training.free_threads import FreeThreads
from impasto.training.loggers import open_loggers
from impasto.training.progress import ProgressDisplay
from impasto.training.run_dir import RunDir, resume_command
from impasto.training.state import Weights
from impasto.training.trainer import Outcome, Trainer

_log = logging.getLogger(__name__)

#: Images of the report: samples of an unconditional style, or pairs of photo and painting.
SAMPLES, PAIRS = 64, 16


class TrainingSession:
    """Train a run from where it stands to the end of its budget.

    Args:
        run: the run folder; its facts name seed, budget, precision, start and loggers.
        stores: the data sets.
        device: where to compute.
        callbacks: follow the training beside the loggers.
        observer: a hyperparameter search; it is given the score that chose the best style, no report is written, and
            the reverse direction is not scored.
        progress: show the progress.
    """

    def __init__(
        self,
        run: RunDir,
        stores: Stores,
        device: torch.device,
        *,
        callbacks: Iterable[Callback] = (),
        observer: Observer | None = None,
        progress: bool = True,
    ) -> None:
        self.run, self.device, self.observer, self.recipe = run, device, observer, run.recipe
        self._callbacks, self._progress = list(callbacks), progress
        self.data: DataSplits = split_stores(stores, self.recipe, run.facts["seed"], device)
        self.network, self.memorisation_network = open_networks(self.recipe.scoring_network, device)

    def train(self) -> Outcome:
        """Train, then write samples, evaluation and report.

        Raises:
            ImpastoError: the training failed again and again, or memory or disk are full.
        """
        with self._errors_explained():
            trainer = self._build_trainer()
            with trainer.callbacks.closed_on_error():
                self._restore(trainer)
            if trainer.schedule.total is None or trainer.step < trainer.schedule.total:
                for name in ("evaluation.json", "copies.jpg"):  # of a style that may be replaced
                    (self.run.path / name).unlink(missing_ok=True)
            outcome = trainer.train()
            if trainer.evaluator.best is not None:
                _log.info(trainer.evaluator.best.sentence())
            if not outcome.finished:
                _log.info("Stopped at step %d. Resume with: %s", trainer.step, resume_command(self.run.path))
            self._write_samples()
            if outcome.finished:
                self._evaluate()
            if self.observer is None:
                write_report(self.run.path)
        return outcome

    def _build_trainer(self) -> Trainer:
        fabric = open_fabric(self.device, self.run.facts["precision"])
        # Another number sums in another order: not where the user has chosen one.
        adapts = self.device.type == "cpu" and parallel.current().size == 1 and "OMP_NUM_THREADS" not in os.environ
        threads = FreeThreads() if adapts else None
        _log.info("Measuring %s real images to compare with …", f"{self.data.reals.count:,}")
        scorer = CandidateScorer(self.network, self.data.reals, self.data.choosing, self.memorisation_network)
        heldout = self.data.training.heldout
        display = [ProgressDisplay(0 if heldout is None else len(heldout))] if self._progress else []
        callbacks = [*display, *self._callbacks]
        trainer = Trainer(
            self.run,
            fabric,
            self.data.training,
            scorer=scorer,
            callbacks=callbacks,
            observer=self.observer,
            threads=threads,
        )
        # Last, as a tracker that was opened has to be closed.
        resumed = any(map(checkpoint.steps, self._folders))
        trainer.callbacks.callbacks[:0] = open_loggers(self.run, self.run.facts.get("loggers", ()), resumed)
        return trainer

    @property
    def _folders(self) -> tuple[Path, Path]:
        """Where to resume from: the checkpoints, or else the states to roll back to."""
        return self.run.checkpoints, self.run.recovery

    def _restore(self, trainer: Trainer) -> None:
        """Restore the newest checkpoint; without one, load the weights that the training starts from, if any."""
        if not any(map(checkpoint.steps, self._folders)):
            start = self.run.facts.get("start")
            if start:
                trainer.state.load_weights(start, *_start_weights(start))
            return
        state, damaged = checkpoint.newest(*self._folders)
        for path in damaged:
            _log.warning("%s is damaged; another checkpoint is used.", path)
        trainer.resume(state)
        if trainer.schedule.total is not None and trainer.step >= trainer.schedule.total:
            _log.info("Finished at step %d; a larger --budget continues the training.", trainer.step)
        else:
            _log.info("Resuming from step %d.", trainer.step)

    def _write_samples(self) -> None:
        """Write ``paintings.jpg``: samples, or photos beside their paintings."""
        pipeline = for_task(Style.load(self._style_file()), torch.device("cpu"))
        if isinstance(pipeline, Sampler):
            images = np.stack(list(pipeline.stream(SAMPLES, seed=self.run.facts["seed"])))
        else:
            assert self.data.training.photos is not None
            photos = to_pixels(self.data.training.photos.load_evenly(PAIRS)).cpu().numpy()  # (N, H, W, 3)
            images = np.stack([photos, pipeline.paint_pixels(photos)], 1).reshape(-1, *photos.shape[1:])
        with atomic_write(self.run.path / "paintings.jpg") as part:
            tile(images, columns=8).save(part, format="JPEG", quality=92, subsampling=0)

    def _evaluate(self) -> None:
        """Evaluate the style, if there are enough on images that did not choose it; add the scores to its card and log
        them."""
        if self.data.disjoint:
            _log.info("Evaluating on images that were not used to choose the best style …")
        else:
            _log.info("Evaluating against images that the best style was chosen by, as too few are held out …")
        self.run.note(disjoint=self.data.disjoint)
        path = self._style_file()
        style = Style.load(path)
        evaluation = self._measure(style)
        names = ("scores", "scores_reverse", "content", "checkerboard")
        scores = {name: getattr(evaluation, name) for name in names}
        replace(style, card=style.card.model_copy(update=scores)).save(path)
        for line in (*summarise(evaluation), assess_memorisation(evaluation.copies).sentence):
            _log.info(line)

    def _measure(self, style: Style) -> Evaluation:
        """Measure a style in its directions and write ``evaluation.json`` and ``copies.jpg``."""
        data, name = self.data, str(self.run.path)
        enough = data.heldout.count >= FEW_HELDOUT
        networks = list(dict.fromkeys((self.network, self.memorisation_network)))
        pipeline = for_task(style, self.device)
        if isinstance(pipeline, Sampler):
            fakes: GeneratedImages | TranslatedImages = GeneratedImages(
                pipeline, name, data.reals.size, None, self.run.facts["seed"]
            )
        else:
            assert data.photos is not None
            fakes = TranslatedImages(pipeline, name, data.photos)
        found = evaluate_images(fakes, data.reals, networks, unseen=data.heldout if enough else None)
        if style.reverse is not None and data.source_reals is not None and self.observer is None:
            reverse = Translator(style.reversed(), self.device)
            fakes = TranslatedImages(reverse, name, data.heldout if enough else data.reals)
            scores = [score_images(fakes, data.source_reals, network) for network in networks]
            found = replace(found, evaluation=found.evaluation.model_copy(update={"scores_reverse": scores}))
        found.save(self.run.path)
        return found.evaluation

    def _style_file(self) -> Path:
        """Return the best style, or the last one without scores."""
        return self.run.best if self.run.best.exists() else self.run.last

    @contextlib.contextmanager
    def _errors_explained(self) -> Iterator[None]:
        """Add how to resume to a full disk or a second Ctrl-C, and what to change to a lack of memory."""
        resume = resume_command(self.run.path)
        try:
            yield
        except KeyboardInterrupt:
            _log.info("Stopped before the evaluation and the report. Resume with: %s", resume)
            raise
        except LostProcessError as error:
            raise LostProcessError(error.reason, f"The last checkpoint is intact; resume with: {resume}") from error
        except DiskFullError as error:
            raise DiskFullError(f"{error} Then resume with: {resume}") from error
        except (MemoryError, RuntimeError) as error:
            if not out_of_memory(error):
                raise
            half = self.recipe.batch // 2
            smaller = f"batch={half}" if half >= self.recipe.min_batch else f"size={self.recipe.size // 2}"
            raise InsufficientMemoryError(
                f"The memory of {self.device} is too small for this recipe: try --set {smaller}."
            ) from error


def _start_weights(start: str) -> tuple[Mapping[str, Weights], Weights, Weights | None]:
    """Return the weights of a style, or of all networks of a run with checkpoints: the networks by name, the averaged
    generator, and that of the reverse direction."""
    checkpoints = find_style(start) / "checkpoints"
    if checkpoint.steps(checkpoints):
        state, _ = checkpoint.newest(checkpoints)
        return state["networks"], state["ema"], state.get("ema_reverse")
    style = Style.from_pretrained(start)
    weights = style.network.state_dict()
    if style.reverse is None:
        return {"generator": weights}, weights, None
    reverse = style.reverse.state_dict()
    return {"generator": weights, "back": reverse}, weights, reverse
