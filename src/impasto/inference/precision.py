"""The same network, in the precision, memory layout and batches that suit the machine."""

import copy
import threading
from collections.abc import Callable
from concurrent.futures import Future

import torch
from torch import Tensor, nn

from impasto.device import choose_precision

Network = Callable[..., Tensor]


def optimise_network(network: nn.Module, device: torch.device) -> Network:
    """A copy of a network that turns photos into paintings, made for painting fast on ``device``.

    It takes photos (B, 3, H, W), float32 in −1…1 on the device, and what else the network takes, and gives float32 of
    that shape; it is to be called in inference mode. Where a CPU computes in bfloat16 convolutions do so,
    channels-last, and what comes behind the last of them (what is added to the photo, tanh) is computed in float32:
    near black and white bfloat16 knows only every half grey level, which skies would show. On a GPU all is float32,
    channels-last, and convolutions are TF32 where it has that: another size of picture is computed by other kernels
    there, and bfloat16 would tell them apart.
    """
    network = copy.deepcopy(network).to(device)
    if device.type == "cuda":
        network = network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        return lambda photos, *rest: network(photos.contiguous(memory_format=torch.channels_last), *rest)
    if choose_precision("auto", device) == "32-true":
        return network
    network = network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    for module in (each for part in (network, *getattr(network, "fixed", ())) for each in part.modules()):
        if isinstance(module, nn.Conv2d | nn.ConvTranspose2d):
            module.to(torch.bfloat16).register_forward_pre_hook(_narrow)
            if module.out_channels == 3:
                module.register_forward_hook(_widen)

    def paint(photos: Tensor, *rest: Tensor) -> Tensor:
        paintings: Tensor = network(photos.contiguous(memory_format=torch.channels_last), *rest)
        return paintings.float()

    return paint


def _narrow(module: nn.Module, inputs: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
    return tuple(each.to(torch.bfloat16) for each in inputs)


def _widen(module: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> Tensor:
    return output.float()


class BatchedNetwork:
    """A network that many threads ask at a time: it is given what is of one size together.

    Whichever thread's turn it is takes along what others wait for. A GPU is little slower with several than with one.
    """

    def __init__(self, network: Network, most: int) -> None:
        """``most`` is how many pixels are given together at most, if there is more than one picture."""
        self._network, self._most = network, most
        self._waiting: list[tuple[Tensor, Future[Tensor]]] = []
        self._guard, self._turn = threading.Lock(), threading.Lock()

    def __call__(self, photos: Tensor) -> Tensor:
        """Paintings of photos (B, 3, H, W). Raises what the network raises."""
        mine = photos, Future[Tensor]()
        with self._guard:
            self._waiting.append(mine)
        with self._turn:
            if not mine[1].done():
                self._paint(self._take(mine))
        return mine[1].result()

    def _take(self, first: tuple[Tensor, Future[Tensor]]) -> list[tuple[Tensor, Future[Tensor]]]:
        """That one, and those others that are painted with it."""
        with self._guard:
            taken, places = [first], first[0][:, 0].numel()
            for other in self._waiting:
                more = other[0][:, 0].numel()
                if other is not first and other[0].shape[1:] == first[0].shape[1:] and places + more <= self._most:
                    taken.append(other)
                    places += more
            self._waiting = [each for each in self._waiting if all(each is not other for other in taken)]
        return taken

    def _paint(self, taken: list[tuple[Tensor, Future[Tensor]]]) -> None:
        try:
            paintings = self._network(torch.cat([photos for photos, _ in taken]))
        except Exception as error:
            for _, future in taken:
                future.set_exception(error)
        else:
            sizes = [len(photos) for photos, _ in taken]
            for (_, future), painted in zip(taken, paintings.split(sizes), strict=True):
                future.set_result(painted)
