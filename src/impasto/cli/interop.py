"""The verbs that take styles in and give them away."""

from pathlib import Path
from typing import Annotated

import typer

from impasto.cli.app import STYLE, app


@app.command("import")
def import_(
    file: Annotated[Path, typer.Argument(help="A generator's checkpoint, such as latest_net_G.pth.")],
    out: Annotated[
        Path | None, typer.Option(help="The style to write (.safetensors); in styles/, under its name, if not given.")
    ] = None,
    source: Annotated[str, typer.Option(help="Source domain, such as 'horses'.")] = "images",
    target: Annotated[str, typer.Option(help="Target domain, such as 'zebras'.")] = "images",
    license: Annotated[str, typer.Option(help="Under which it may be used: the style says so.")] = "",
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace the style.")] = False,
) -> None:
    """Make a style of a generator that pytorch-CycleGAN-and-pix2pix or CUT saved: ResNet or U-Net, found by itself."""
    from impasto.interop.cyclegan_checkpoints import import_style

    style, found = import_style(file, out, source=source, target=target, license=license, overwrite=overwrite)
    print(f"{style}: {found}, {style.stat().st_size / 1e6:.1f} MB")
    print(f"Paint with it: impasto paint PHOTO --style {style} --out painted")


@app.command()
def export(
    style: Annotated[str, typer.Argument(help=STYLE)],
    onnx: Annotated[Path, typer.Option("--onnx", help="The file to write.")],
    fp16: Annotated[bool, typer.Option("--fp16", help="In half precision: half as large.")] = False,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace the file.")] = False,
) -> None:
    """Write a style's network as ONNX, for any size of photo, and check that it paints the same."""
    from impasto.interop.onnx import export

    found = export(style, onnx, fp16=fp16, overwrite=overwrite)
    print(
        f"{onnx}: {found.megabytes:.1f} MB, paints as torch does: {found.largest:.2g} grey levels of 255 away at most, "
        f"{found.mean:.2g} on average"
    )


@app.command()
def push(
    style: Annotated[str, typer.Argument(help=STYLE)],
    repository: Annotated[str, typer.Argument(help="OWNER/NAME.")],
    private: Annotated[bool, typer.Option("--private", help="A new repository is seen by its owner alone.")] = False,
) -> None:
    """Put a style on the Hugging Face Hub, with a model card and a picture (log in before: hf auth login)."""
    from impasto.interop.hub import push

    print(f"{push(style, repository, private=private)}\nOthers have it by: impasto pull {repository}")


@app.command()
def pull(
    repository: Annotated[str, typer.Argument(help="OWNER/NAME, or OWNER/NAME@REVISION.")],
    out: Annotated[
        Path | None, typer.Option(help="The style to write (.safetensors); in styles/, under its name, if not given.")
    ] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace the style.")] = False,
) -> None:
    """Fetch a style from the Hugging Face Hub."""
    from impasto.interop.hub import pull

    style, card = pull(repository, out, overwrite=overwrite)
    name = style.stem if style.parent == Path("styles") else style
    work = "paint PHOTO --style" if card.source_data is not None or card.imported is not None else "generate"
    print(f"{style}: {card.domains}, {style.stat().st_size / 1e6:.1f} MB")
    print(f"Paint with it: impasto {work} {name} --out painted")
