"""Nothing but impasto writes to the terminal while images are decoded, in any number of threads."""

import subprocess
import sys
import warnings

import numpy as np

from fixtures.tiff_files import tiff
from impasto.data.quiet_decoders import quiet_decoders

RAMP = np.arange(96, dtype=np.uint8).reshape(8, 12)
SOUND, DEFLATED = tiff((RAMP, {})), tiff((RAMP, {259: 8}))
#: Files on which libtiff, Pillow's log and Pillow's warnings have something to say.
NOISY = [DEFLATED[:10] + b"\xff" * 20 + DEFLATED[30:], tiff((RAMP, {277: 500})), SOUND[:-60] + b"\xff" * 60]


def test_damaged_files_write_nothing_and_the_filters_of_warnings_are_restored() -> None:
    script = f"""
import warnings
from concurrent.futures import ThreadPoolExecutor
from impasto.data.decode import decode
from impasto.data.entry import UnreadableError

def attempt(number):
    try:
        decode({[SOUND, *NOISY]!r}[number % 4])
    except UnreadableError:
        return

before = list(warnings.filters)
with ThreadPoolExecutor(8) as pool:
    list(pool.map(attempt, range(400)))
assert list(warnings.filters) == before
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert (done.stdout, done.stderr) == ("", "")


def test_warnings_of_others_are_shown_meanwhile() -> None:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        with quiet_decoders():
            warnings.warn("of another library", stacklevel=1)
    assert [str(each.message) for each in caught] == ["of another library"]
