"""Networks as ONNX, run by ONNX Runtime."""

import warnings
from pathlib import Path
from typing import Any

import torch
from torch import nn

from impasto.errors import ImpastoError
from impasto.interop.exported_network import Run, half_precision, traced_input
from impasto.style import Style
from impasto.terminal import errors_alone


def write(style: Style, precision: str, path: Path) -> None:
    """Write a network with its style's card in the metadata, as JSON under ``impasto``.

    Raises ImpastoError if ONNX cannot express the network, or nothing in it can be quantised.
    """
    name, example, sizes = traced_input(style)
    network = half_precision(style.network) if precision == "float16" else style.network
    # The exporter's warnings are about optional passes.
    with warnings.catch_warnings(), errors_alone("torch.onnx"), errors_alone("onnxscript"):
        warnings.simplefilter("ignore")
        try:
            program = torch.onnx.export(
                network,
                (example,),
                input_names=[name],
                output_names=["paintings"],
                dynamic_shapes=(sizes,),
                dynamo=True,
                verbose=False,
            )
        except torch.onnx.OnnxExporterError as error:
            raise ImpastoError("The network of this style cannot be exported to ONNX.") from error
    assert program is not None
    _name_dimensions(program.model.graph)
    _forget_origin(program.model.graph)
    card = style.card
    program.model.producer_name, program.model.producer_version = "impasto", card.impasto
    program.model.doc_string = f"{card.domains}, by impasto{f', under {card.license}' if card.license else ''}"
    program.model.metadata_props["impasto"] = card.model_dump_json()
    program.save(path)
    if precision == "int8":
        _quantise(path, network)


def open_network(path: Path) -> Run:
    """Return the function that ONNX Runtime computes on the CPU."""
    import onnxruntime

    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    name = session.get_inputs()[0].name
    return lambda batch: session.run(None, {name: batch.numpy()})[0]


def _name_dimensions(graph: Any) -> None:
    """Name the dimensions of inputs and outputs; torch's names are numbers and formulas."""
    import onnx_ir

    names = ("batch", "channels", "height", "width")
    for value in (*graph.inputs, *graph.outputs):
        value.shape = onnx_ir.Shape(
            [size if isinstance(size, int) else name for size, name in zip(value.shape, names, strict=False)]
        )


def _forget_origin(graph: Any) -> None:
    """Drop what the exporter notes about each operation: call stacks, with paths of this computer."""
    for node in graph:
        node.metadata_props.clear()
        for value in node.outputs:
            value.metadata_props.clear()


def _quantise(path: Path, network: nn.Module) -> None:
    """Quantise convolutions dynamically: their weights are stored, and their input is rounded, in 8 bits.

    The last one stays, which makes the colours, and so does a pretrained backbone, whose features choose the mood.
    """
    import onnx
    from onnxruntime.quantization import QuantType, quantize_dynamic

    model = onnx.load(path)
    producer = model.producer_name, model.producer_version
    trained = dict(network.named_parameters())
    convolutions = [node for node in model.graph.node if node.op_type == "Conv"]
    chosen = [node.name for node in convolutions[:-1] if node.input[1] in trained]
    if not chosen:
        raise ImpastoError("This style has no convolution that can be quantised: export it in float16.")
    with errors_alone("root"):  # it recommends passes that do not know dynamic sizes
        quantize_dynamic(model, path, weight_type=QuantType.QUInt8, nodes_to_quantize=chosen)
    model = onnx.load(path)
    model.producer_name, model.producer_version = producer
    onnx.save(model, path)
