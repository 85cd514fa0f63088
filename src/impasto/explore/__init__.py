"""What is in a set of pictures, before anyone trains on it."""

from collections.abc import Iterator
from pathlib import Path

from impasto.data.clean import Progress
from impasto.data.decode import decode
from impasto.data.pack import gather
from impasto.data.read import open_source
from impasto.data.survey import Survey, summarise
from impasto.explore.sheet import Crop, before_after, contact_sheet
from impasto.files import make_folder, require_folder, whole

#: Pixels that a picture is decoded to at least, to be shown before and after its frame comes off.
SHOWN = 400


def explore(
    source: str,
    out: Path | None = None,
    *,
    size: int = 128,
    crop_frames: bool = False,
    progress: Progress | None = None,
) -> list[str]:
    """Looks at all pictures of a source, and says what is there in lines for a shell.

    With ``out``, a folder that may exist: ``pictures.jpg``, a contact sheet of squares of ``size`` pixels;
    ``pictures.json``, everything that was found, by name; with ``crop_frames`` also ``frames-1.jpg`` and on, each
    cropped picture before and after.
    """
    if out is not None:
        require_folder(out)
    store = gather(source, size, crop_frames=crop_frames, progress=progress)
    lines = summarise(store.survey)
    if out is None:
        return lines
    make_folder(out)
    sheets = [("pictures.jpg", contact_sheet(store.pixels, source))]
    if crop_frames:
        pages = before_after(_crops(source, store.survey))
        sheets += [(f"frames-{number}.jpg", page) for number, page in enumerate(pages, 1)]
    for old in out.glob("frames-*.jpg"):
        old.unlink()
    for name, sheet in sheets:
        with whole(out / name) as part:
            sheet.save(part, format="JPEG", quality=90)
    with whole(out / "pictures.json") as part:
        part.write_text(store.survey.model_dump_json(indent=1), encoding="utf-8")
    return [*lines, f"To look at: {', '.join(str(out / name) for name, _ in sheets)}"]


def _crops(source: str, survey: Survey) -> Iterator[Crop]:
    """The pictures that have a frame, decoded again one by one."""
    framed = {picture.name: picture for picture in survey.pictures if picture.frame}
    with open_source(source) as opened:
        for entry in opened.entries():
            picture = framed.get(entry.name)
            if picture is None or picture.frame is None:
                continue
            image = decode(entry.read(), SHOWN).image
            across, down = image.width / picture.width, image.height / picture.height
            left, top, right, bottom = picture.frame
            box = round(left * across), round(top * down), round(right * across), round(bottom * down)
            yield Crop(entry.name, image, box)
