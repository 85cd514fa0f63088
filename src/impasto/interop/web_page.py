"""A folder of static files that paints photos in the browser: page, network, and ONNX Runtime Web."""

import hashlib
import json
import tarfile
from importlib.resources import files
from pathlib import Path

from impasto.errors import ImpastoError
from impasto.files import atomic_write, make_folder, user_path
from impasto.inference.output import require_free
from impasto.interop.export import Exported, export
from impasto.style import Style

#: The version of ONNX Runtime Web, an npm package, and the SHA-512 of what `npm pack` downloads.
VERSION = "1.30.0"
SHA512 = (
    "ab4cbe26baedba45d2cec05610c71c55fa97db92d19a8b171c5f8269126683ca"
    "590a5cdc57bb2f35ce2b298de32f4d956fb42644c0ecd528a0a91e025c07ca61"
)
#: What the page needs of it; the first loads the second. Both run on the processor and on graphics processors.
RUNTIME = ("ort.webgpu.bundle.min.mjs", "ort-wasm-simd-threaded.asyncify.wasm")
#: The page, and what it shares with the studio; index.html is written last.
PAGE = ("main.js", "painter.js", "index.html")
SHARED = ("style.css", "icon.svg", "dom.js", "components/before-after.js", "components/drop-zone.js")


def export_page(
    style: str | Path, out: str | Path, *, runtime: str | Path | None = None, overwrite: bool = False
) -> Exported:
    """Write a web page that paints photos with a style, on the visitor's device.

    The page makes no request to another host. A web server has to serve the folder: browsers load neither scripts nor
    networks from files.

    Args:
        style: the name of a bundled style, a style file or a run folder.
        out: the folder to write.
        runtime: the npm package onnxruntime-web, as ``npm pack`` downloads it; by default that file in the current
            folder.
        overwrite: replace the page's files in a folder that is not empty.

    Raises ImpastoError if the runtime is absent or another version, ``out`` is not empty, the style paints no photos,
    or :func:`impasto.interop.export.export` does.
    """
    out, runtime = user_path(out), user_path(runtime or f"onnxruntime-web-{VERSION}.tgz")
    require_free(out, file=False, overwrite=overwrite)
    package = _package(runtime)
    loaded = Style.load(style)
    card = loaded.card
    if not loaded.recipe.translates:
        raise ImpastoError(f"{style} paints no photos ({card.domains}): choose a translation style (impasto styles).")
    make_folder(out)
    found = export(style, out / "model.onnx", precision="float16", overwrite=overwrite)
    pages = files("impasto.serving").joinpath("page")
    with tarfile.open(package) as archive:
        for name in RUNTIME:
            member = archive.extractfile(f"package/dist/{name}")
            assert member is not None
            _write(out / "runtime" / name, member.read())
    about = {"title": card.domains.capitalize(), "license": card.license}
    _write(out / "about.json", json.dumps(about).encode())
    for name in SHARED:
        _write(out / name, pages.joinpath(name).read_bytes())
    for name in PAGE:
        _write(out / name, files("impasto.interop").joinpath("web", name).read_bytes())
    return found


def _package(path: Path) -> Path:
    """Return the npm package. Raises ImpastoError if it is absent or not the expected version."""
    fetch = f"run npm pack onnxruntime-web@{VERSION}, or name the file with --runtime."
    if not path.is_file():
        raise ImpastoError(f"{path} is absent, which paints in the browser: {fetch}")
    with path.open("rb") as file:
        if hashlib.file_digest(file, "sha512").hexdigest() != SHA512:
            raise ImpastoError(f"{path} is not onnxruntime-web {VERSION}, or damaged: {fetch}")
    return path


def _write(path: Path, data: bytes) -> None:
    make_folder(path.parent)
    with atomic_write(path) as part:
        part.write_bytes(data)
