"""Networks as OpenVINO IR: the graph in one file, the weights in a second one. Converted from ONNX."""

from pathlib import Path
from tempfile import TemporaryDirectory

from impasto.interop import onnx
from impasto.interop.exported_network import Run
from impasto.style import Style


def write(style: Style, precision: str, graph: Path, weights: Path) -> None:
    """Write a network with its style's card in the runtime information ``impasto``; float16 stores the weights so.

    Raises ImpastoError if ONNX cannot express the network.
    """
    import openvino

    with TemporaryDirectory(dir=graph.parent) as folder:
        onnx.write(style, "float32", Path(folder) / "network.onnx")
        model = openvino.convert_model(Path(folder) / "network.onnx")
        model.set_rt_info(style.card.model_dump_json(), "impasto")
        saved = Path(folder) / "network.xml"
        openvino.save_model(model, saved, compress_to_fp16=precision == "float16")
        saved.replace(graph)
        saved.with_suffix(".bin").replace(weights)


def open_network(graph: Path, weights: Path) -> Run:
    """Return the function that OpenVINO computes on the CPU in float32: by default it takes bfloat16 where the
    processor has it."""
    import openvino

    model = openvino.Core().read_model(graph.read_bytes(), weights.read_bytes())
    compiled = openvino.compile_model(model, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    return lambda batch: compiled(batch.numpy())[0]
