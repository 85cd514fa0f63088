"""Callbacks: required ones end a training, optional ones are dropped."""

import pytest

from impasto.training.callbacks import Callback, CallbackList, Estimate


class Recorder(Callback):
    """Records its calls; fails in those named."""

    def __init__(self, required: bool = True, fails: tuple[str, ...] = ()) -> None:
        self.required, self.fails = required, fails
        self.calls: list[str] = []

    def _record(self, name: str) -> None:
        self.calls.append(name)
        if name in self.fails:
            raise OSError(f"{name} failed")

    def on_start(self) -> None:
        self._record("start")

    def on_event(self, step: int, text: str) -> None:
        self._record("event")

    def close(self) -> None:
        self._record("close")


def test_an_optional_callback_that_fails_is_reported_and_dropped(caplog: pytest.LogCaptureFixture) -> None:
    failing, other = Recorder(required=False, fails=("start",)), Recorder()
    with CallbackList([failing, other]) as callbacks:
        callbacks.on_event(3, "rolled back")
    assert failing.calls == ["start", "close"] and other.calls == ["start", "event", "close"]
    assert [record.getMessage() for record in caplog.records] == ["Recorder failed and is switched off: start failed"]


def test_a_required_callback_that_fails_raises_and_all_are_closed() -> None:
    failing, other = Recorder(fails=("event", "close")), Recorder()
    with pytest.raises(OSError, match="event failed"), CallbackList([failing, other]) as callbacks:
        callbacks.on_event(3, "rolled back")
    assert failing.calls == ["start", "event", "close"] and other.calls == ["start", "close"]


def test_an_error_while_closing_is_raised_after_all_are_closed() -> None:
    failing, other = Recorder(fails=("close",)), Recorder()
    callbacks = CallbackList([failing, other])
    with pytest.raises(OSError, match="close failed"):
        callbacks.close()
    callbacks.close()  # once is enough
    assert other.calls == ["close"]


def test_a_callback_overrides_only_what_it_needs() -> None:
    callback = Callback()
    callback.on_rows([{"step": 1}], Estimate())
    callback.on_rewind(0)


def test_an_error_at_the_start_closes_all() -> None:
    failing, other = Recorder(fails=("start",)), Recorder()
    with pytest.raises(OSError, match="start failed"), CallbackList([other, failing]):
        pass
    assert failing.calls == ["start", "close"] and other.calls == ["start", "close"]
