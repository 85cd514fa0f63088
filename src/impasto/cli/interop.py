"""Verbs that import, export and share styles."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from impasto.cli.app import SHARE, STYLE, app
from impasto.cli.completion import complete_style
from impasto.errors import ImpastoError
from impasto.terminal import print_lines


@app.command("import", rich_help_panel=SHARE)
def import_(
    file: Annotated[Path, typer.Argument(help="Generator checkpoint, such as latest_net_G.pth or monet.weights.h5.")],
    out: Annotated[Path | None, typer.Option(help="Style file to write; styles/NAME.safetensors by default.")] = None,
    source: Annotated[str, typer.Option(help="Source domain, such as 'horses'.")] = "images",
    target: Annotated[str, typer.Option(help="Target domain, such as 'zebras'.")] = "images",
    turns: Annotated[str, typer.Option(hidden=True, help="Former form: 'horses into zebras'.")] = "",
    license: Annotated[str, typer.Option("--license", "--licence", help="SPDX identifier to store in the style.")] = "",
    key: Annotated[str, typer.Option(help="Generator to import, if there are several, such as netG_A2B.")] = "",
    norm: Annotated[
        Literal["auto", "none", "batch", "instance", "instance-affine"],
        typer.Option(
            help="Normalisation, inferred by default. instance-affine: batch norm with the statistics of each image, "
            "as in pix2pix's test.py without --eval."
        ),
    ] = "auto",
    padding: Annotated[
        Literal["auto", "reflect", "replicate", "zero"],
        typer.Option(help="Padding of residual blocks; auto cannot tell replicate from reflect, and takes reflect."),
    ] = "auto",
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace an existing file.")] = False,
) -> None:
    """Convert a generator of CycleGAN, pix2pix or CUT (PyTorch), or of a Keras tutorial, into a style."""
    from impasto.interop.checkpoints import import_style

    if turns:
        if (source, target) != ("images", "images"):
            raise ImpastoError("Give --source and --target, or the former --turns, not both.")
        source, into, target = turns.partition(" into ")
        if not into:
            raise ImpastoError(f"--turns '{turns}' names no target: use --source and --target.")
    style, found = import_style(
        file,
        out,
        source=source,
        target=target,
        license=license,
        key=key,
        norm=norm,
        padding=padding,
        overwrite=overwrite,
    )
    print_lines(f"{style}: {found}, {style.stat().st_size / 1e6:.1f} MB")
    print_lines(f"Use it: impasto paint PHOTO --style {style} --out painted")


@app.command(rich_help_panel=SHARE)
def export(
    style: Annotated[str, typer.Argument(help=STYLE, autocompletion=complete_style)],
    out: Annotated[
        Path | None, typer.Option("--out", "--onnx", help="File to write: .onnx, .pt2 (torch.export), .xml (OpenVINO).")
    ] = None,
    web: Annotated[Path | None, typer.Option(help="Folder to write: a web page that paints photos.")] = None,
    precision: Annotated[
        Literal["float32", "float16", "int8"] | None,
        typer.Option(help="float32 by default; float16: smaller; int8: for .onnx. A web page has float16."),
    ] = None,
    fp16: Annotated[bool, typer.Option("--fp16", hidden=True, help="Former form of --precision float16.")] = False,
    runtime: Annotated[
        Path | None,
        typer.Option(help="For --web: the npm package onnxruntime-web, a .tgz; in the current folder by default."),
    ] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace existing files.")] = False,
) -> None:
    """Export the network of a style for another runtime, for any image size, and compare it with PyTorch."""
    if (web is None) == (out is None):
        raise ImpastoError("Give --out FILE or --web FOLDER.")
    if fp16 and precision not in (None, "float16"):
        raise ImpastoError(f"--fp16 and --precision {precision} contradict each other: choose one.")
    if web is not None:
        if fp16 or precision not in (None, "float16"):
            raise ImpastoError("A web page has float16: leave out --precision.")
        from impasto.interop.web_page import export_page

        print_lines(
            f"{web}: {export_page(style, web, runtime=runtime, overwrite=overwrite)}",
            f"Open it: python -m http.server --directory {web}",
        )
    elif out is not None:
        if runtime is not None:
            raise ImpastoError("--runtime belongs to --web: leave it out.")
        from impasto.interop.export import export

        chosen = "float16" if fp16 else precision or "float32"
        print_lines(f"{out}: {export(style, out, precision=chosen, overwrite=overwrite)}")


@app.command(rich_help_panel=SHARE)
def push(
    style: Annotated[str, typer.Argument(help=STYLE, autocompletion=complete_style)],
    repository: Annotated[str, typer.Argument(help="OWNER/NAME.")],
    private: Annotated[bool, typer.Option("--private", help="Make a new repository private.")] = False,
) -> None:
    """Upload a style to the Hugging Face Hub, with a model card and samples (log in first: hf auth login)."""
    from impasto.interop.hub import push

    print_lines(push(style, repository, private=private), f"Download it with: impasto pull {repository}")


@app.command(rich_help_panel=SHARE)
def pull(
    repository: Annotated[str, typer.Argument(help="OWNER/NAME, or OWNER/NAME@REVISION.")],
    out: Annotated[Path | None, typer.Option(help="Style file to write; styles/NAME.safetensors by default.")] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace an existing file.")] = False,
) -> None:
    """Download a style from the Hugging Face Hub."""
    from impasto.interop.hub import pull

    style, card = pull(repository, out, overwrite=overwrite)
    name = style.stem if style.parent == Path("styles") else style
    verb = "paint PHOTO --style" if card.source_data is not None or card.imported is not None else "generate"
    print_lines(f"{style}: {card.domains}, {style.stat().st_size / 1e6:.1f} MB")
    print_lines(f"Use it: impasto {verb} {name} --out painted")
