"""U-Net generators of TensorFlow's tutorials on pix2pix and CycleGAN, and of Kaggle's on the latter."""

from impasto.config.recipe import Recipe
from impasto.errors import ImpastoError
from impasto.interop.architectures.base import (
    ARCHITECTURES,
    Architecture,
    Inferred,
    Layer,
    Options,
    UnsupportedError,
    named_norm,
    require_rgb,
)

#: The default of Keras' LeakyReLU, and of its norms and TensorFlow Addons'.
SLOPE, EPSILON = 0.3, 1e-3
#: Our names of a layer's tensors.
NAMES = {
    "kernel": "weight",
    "bias": "bias",
    "gamma": "weight",
    "beta": "bias",
    "moving_mean": "running_mean",
    "moving_variance": "running_var",
}


def detect(layers: dict[str, Layer], options: Options) -> Inferred | None:
    convolutions = {name: layer for name, layer in layers.items() if "kernel" in layer}
    # The last one has the last place in the model, but not in the order of names.
    last = [name for name, layer in convolutions.items() if layer["kernel"].ndim == 4 and layer["kernel"].shape[1] == 3]
    last = [name for name in last if "transpose" in name or "bias" in convolutions[name]]
    if len(convolutions) < 4 or len(last) != 1:
        return None
    ordered = [layer for name, layer in convolutions.items() if name != last[0]] + [convolutions[last[0]]]
    shapes = [tuple(layer["kernel"].shape) for layer in ordered]
    if any(shape[2:] != (4, 4) for shape in shapes):
        return None
    require_rgb(shapes[0][1], shapes[-1][1])
    norms = [layer for layer in layers.values() if "gamma" in layer]
    norm = _norm(norms, options)
    slope, epsilon = options.slope, options.epsilon
    assumed = []
    if slope is None:
        assumed.append(f"leaky ReLUs have the slope {SLOPE}, as by default in Keras")
    if norms and epsilon is None:
        assumed.append(f"norms have the epsilon {EPSILON}, as by default in Keras")
    width, depth = shapes[0][0], len(shapes) // 2
    generator = {
        "network": "keras-unet",
        "width": width,
        "max_width": max(shape[0] for shape in shapes[:depth]),
        "depth": depth,
        "norm": norm,
        "dropout": 0.0,
        "slope": SLOPE if slope is None else slope,
        "epsilon": EPSILON if epsilon is None else epsilon,
    }
    return Inferred(
        _recipe(generator),
        f"a Keras U-Net for {1 << depth} pixels, {width} channels, {named_norm(norm)}",
        tuple(assumed),
        [_skips_first(layer) if number > depth else layer for number, layer in enumerate(map(_renamed, ordered))],
        [_renamed(layer) for layer in norms],
    )


def _norm(norms: list[Layer], options: Options) -> str:
    if not norms:
        return "none"
    has_statistics = all("moving_mean" in layer for layer in norms)
    if options.norm not in ("auto", "instance-affine", *(("batch",) if has_statistics else ())):
        raise UnsupportedError(
            "it has tensors of norms: --norm can be instance-affine, or batch with running statistics"
        )
    return "batch" if has_statistics and options.norm != "instance-affine" else "instance-affine"


def _renamed(layer: Layer) -> Layer:
    return {NAMES[name]: tensor for name, tensor in layer.items() if name in NAMES}


def _skips_first(layer: Layer) -> Layer:
    """Return a layer after a skip connection for our order of its inputs: Keras appends the skipped maps."""
    return layer | {"weight": layer["weight"].roll(len(layer["weight"]) // 2, 0)}


def _recipe(generator: dict[str, object]) -> Recipe:
    values = Recipe.load("cyclegan-unet").values()
    kept = {name: values["generator"][name] for name in ("lr", "betas", "init_std")}
    try:
        return Recipe.of(values | {"generator": kept | generator, "identity": 0.0, "tune": {}})
    except ImpastoError as error:
        raise UnsupportedError(str(error).rstrip(".")) from error


ARCHITECTURES.register("keras-unet")(
    Architecture("Keras U-Net generators of TensorFlow's and Kaggle's CycleGAN and pix2pix tutorials", detect)
)
