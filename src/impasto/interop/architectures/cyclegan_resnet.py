"""ResNet generators of pytorch-CycleGAN-and-pix2pix and CUT."""

from impasto.config.recipe import Recipe
from impasto.interop.architectures.base import (
    ARCHITECTURES,
    Architecture,
    Inferred,
    Layer,
    Options,
    PaddingOption,
    UnsupportedError,
    derived_recipe,
    has_biases,
    infer_norm,
    layers_in_order,
    named_norm,
    require_rgb,
    used_norms,
)
from impasto.networks.layers import Padding


def detect(layers: dict[str, Layer], options: Options) -> Inferred | None:
    ordered = layers_in_order(layers)
    if ordered is None:
        return None
    convolutions, norms = ordered
    shapes = [tuple(layer["weight"].shape) for layer in convolutions.values()]
    if len(shapes) < 6 or not shapes[0][2:] == shapes[-1][2:] == (7, 7):
        return None
    norm, assumed = infer_norm(options.norm, norms, has_biases(convolutions))
    blurs = {layer["filt"].shape[-1] for layer in layers.values() if "filt" in layer and layer["filt"].ndim}
    padding, more = _padding(options.padding, list(convolutions)[3:-3])
    recipe, description = _resnet(shapes, norm, padding, blurs)
    return Inferred(recipe, description, assumed + more, list(convolutions.values()), used_norms(norm, norms))


def _padding(option: PaddingOption, blocks: list[str]) -> tuple[Padding, tuple[str, ...]]:
    """Return the padding of the residual blocks, whose convolutions have these names, and what is assumed of it.

    Zero padding is part of the convolution, and any other a layer before it, so the names begin at ``conv_block.0`` or
    ``conv_block.1``.
    """
    if option != "auto":
        return option, ()
    first = {name.rpartition("conv_block.")[2] for name in blocks[::2] if "conv_block." in name}
    if first == {"0"}:
        return "zero", ()
    if "0" in first:
        raise UnsupportedError("its residual blocks are padded in different ways")
    assumed = "residual blocks are padded by reflection; for padding_type replicate, add --padding replicate"
    return "reflect", (assumed,) if blocks else ()


def _resnet(shapes: list[tuple[int, ...]], norm: str, padding: Padding, blurs: set[int]) -> tuple[Recipe, str]:
    require_rgb(shapes[0][1], shapes[-1][0])
    width, blocks = shapes[0][0], (len(shapes) - 6) // 2
    # a transposed convolution has its input channels first
    transposes = shapes[-3][:2] == (4 * width, 2 * width)
    if not blurs <= {3, 4} or (not transposes and 4 not in blurs):
        raise UnsupportedError("its down- or upsampling is of another kind")
    settings = {
        "generator.width": width,
        "generator.blocks": blocks,
        "generator.norm": norm,
        "generator.padding": padding,
        "generator.down": "mirrored-blur" if 3 in blurs else "stride",
        "generator.up": "transpose" if transposes else "blur",
        # unknown: whether it was trained with an identity loss
        **({"contrast.identity": False} if blurs else {"identity": 0.0}),
    }
    kind, recipe = ("an antialiased", "cut") if blurs else ("a", "cyclegan-resnet")
    padded = "" if padding == "reflect" or not blocks else f", {padding} padding"
    return derived_recipe(
        recipe, settings
    ), f"{kind} ResNet of {blocks} blocks, {width} channels, {named_norm(norm)}{padded}"


ARCHITECTURES.register("cyclegan-resnet")(
    Architecture("ResNet generators of pytorch-CycleGAN-and-pix2pix and CUT", detect)
)
