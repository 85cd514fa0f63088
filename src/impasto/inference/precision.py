"""Precision, memory layout and batching for inference."""

import copy
import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import cast

import torch
from torch import Tensor, nn

from impasto.device import choose_precision

Network = Callable[..., Tensor]


#: Pixels per batch (alone or several images of one size): a CPU gains nothing from more. Larger images are tiled.
BATCH_PIXELS, BATCH_PIXELS_GPU = 1 << 18, 1 << 20


def max_batch_pixels(device: torch.device) -> int:
    """Return the most pixels that are computed at once on a device."""
    return BATCH_PIXELS if device.type == "cpu" else BATCH_PIXELS_GPU


def optimise_network(network: nn.Module, device: torch.device) -> Network:
    """Return a copy of a translation network for fast inference on ``device``.

    It maps images (B, 3, H, W), float32 in −1…1, and further inputs of the network, to float32 of the same shape; to be
    called in inference mode. Where a CPU computes in bfloat16, the convolutions of a network with
    ``supports_bfloat16`` set do so, channels-last, and what follows the last of them (residual addition, tanh) runs in
    float32: near black and white bfloat16 resolves only every other grey level, which is visible in skies. On a GPU
    everything is float32, channels-last, with TF32 convolutions where available: another image size selects other
    kernels there, and in bfloat16 results would differ.
    """
    backbone = getattr(network, "backbone", None)  # a feature extractor that need not be a registered submodule
    network = copy.deepcopy(network).to(device)  # with its backbone, which takes long to build
    if device.type == "cuda":
        network = network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        return lambda photos, *rest: network(photos.contiguous(memory_format=torch.channels_last), *rest)
    if choose_precision("auto", device) == "32-true" or not getattr(network, "supports_bfloat16", False):
        return network
    network = network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    parts = [network] if backbone is None else [network, cast(nn.Module, network.backbone)]
    for module in {module: None for part in parts for module in part.modules()}:
        if isinstance(module, nn.Conv2d | nn.ConvTranspose2d):
            convert_module(module, torch.bfloat16)

    def run(photos: Tensor, *rest: Tensor) -> Tensor:
        paintings: Tensor = network(photos.contiguous(memory_format=torch.channels_last), *rest)
        return paintings.float()

    return run


def convert_module(module: nn.Module, dtype: torch.dtype) -> None:
    """Convert a module to ``dtype`` in place: it casts its inputs, and the output of a layer with three output channels
    (an image) back to float32."""

    def cast_inputs(module: nn.Module, inputs: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        return tuple(each.to(dtype) for each in inputs)

    module.to(dtype).register_forward_pre_hook(cast_inputs)
    if getattr(module, "out_channels", 0) == 3:
        module.register_forward_hook(_cast_output)


def _cast_output(module: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> Tensor:
    return output.float()


class BatchedNetwork:
    """A network that batches the images of concurrent threads by size: a GPU is little slower with several than with
    one. The thread that holds the lock runs the images that others are waiting for, too."""

    def __init__(self, network: Network, max_pixels: int) -> None:
        """``max_pixels`` limits a batch of more than one image."""
        self._network, self._max_pixels = network, max_pixels
        self._waiting: list[tuple[Tensor, Future[Tensor]]] = []
        self._queue_lock, self._run_lock = threading.Lock(), threading.Lock()

    def __call__(self, photos: Tensor) -> Tensor:
        """Return the network's output for photos (B, 3, H, W). Raises what the network raises."""
        request = photos, Future[Tensor]()
        with self._queue_lock:
            self._waiting.append(request)
        with self._run_lock:
            if not request[1].done():
                self._run(self._take(request))
        return request[1].result()

    def _take(self, first: tuple[Tensor, Future[Tensor]]) -> list[tuple[Tensor, Future[Tensor]]]:
        """Take a request off the queue, with others that fit into its batch."""
        with self._queue_lock:
            taken, pixels = [first], first[0][:, 0].numel()
            for other in self._waiting:
                more = other[0][:, 0].numel()
                if (
                    other is not first
                    and other[0].shape[1:] == first[0].shape[1:]
                    and pixels + more <= self._max_pixels
                ):
                    taken.append(other)
                    pixels += more
            self._waiting = [each for each in self._waiting if all(each is not other for other in taken)]
        return taken

    def _run(self, requests: list[tuple[Tensor, Future[Tensor]]]) -> None:
        try:
            output = self._network(torch.cat([photos for photos, _ in requests]))
        except Exception as error:
            for _, future in requests:
                future.set_exception(error)
        else:
            sizes = [len(photos) for photos, _ in requests]
            for (_, future), part in zip(requests, output.split(sizes), strict=True):
                future.set_result(part)
