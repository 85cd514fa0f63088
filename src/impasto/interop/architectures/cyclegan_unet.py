"""U-Net generators of pytorch-CycleGAN-and-pix2pix."""

from impasto.config.recipe import Recipe
from impasto.interop.architectures.base import (
    ARCHITECTURES,
    Architecture,
    Inferred,
    Layer,
    Options,
    derived_recipe,
    has_biases,
    infer_norm,
    layers_in_order,
    named_norm,
    require_rgb,
    used_norms,
)


def detect(layers: dict[str, Layer], options: Options) -> Inferred | None:
    ordered = layers_in_order(layers)
    if ordered is None:
        return None
    convolutions, norms = ordered
    shapes = [tuple(layer["weight"].shape) for layer in convolutions.values()]
    if len(shapes) < 4 or any(shape[2:] != (4, 4) for shape in shapes) or shapes[-1][0] == 1:
        return None
    norm, assumed = infer_norm(options.norm, norms, has_biases(convolutions))
    recipe, description = _unet(shapes, norm)
    return Inferred(recipe, description, assumed, list(convolutions.values()), used_norms(norm, norms))


def _unet(shapes: list[tuple[int, ...]], norm: str) -> tuple[Recipe, str]:
    require_rgb(shapes[0][1], shapes[-1][1])
    width, depth = shapes[0][0], len(shapes) // 2
    settings = {
        "generator.width": width,
        "generator.max_width": max(shape[0] for shape in shapes[:depth]),
        "generator.depth": depth,
        "generator.norm": norm,
        "generator.dropout": 0.0,
        "identity": 0.0,
    }
    recipe = derived_recipe("cyclegan-unet", settings)
    return recipe, f"a U-Net for {1 << depth} pixels, {width} channels, {named_norm(norm)}"


ARCHITECTURES.register("cyclegan-unet")(Architecture("U-Net generators of pytorch-CycleGAN-and-pix2pix", detect))
