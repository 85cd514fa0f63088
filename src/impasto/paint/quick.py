"""The same network, in the precision and memory layout that suit the machine."""

import copy
from collections.abc import Callable

import torch
from torch import Tensor, nn

from impasto.device import choose_precision

Network = Callable[[Tensor], Tensor]


def quicken(network: nn.Module, device: torch.device) -> Network:
    """A copy of a network that turns photos into paintings, made for painting fast on ``device``.

    It takes photos (B, 3, H, W), float32 in −1…1 on the device, and gives float32 of that shape; it is to be called in
    inference mode. Where the hardware computes in bfloat16 convolutions do so, channels-last, and what comes behind
    the last of them (what is added to the photo, tanh) is computed in float32: near black and white bfloat16 knows
    only every half grey level, which skies would show. Elsewhere all is float32.
    """
    network = copy.deepcopy(network).to(device)
    if choose_precision("auto", device) == "32-true":
        return network
    network = network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    for module in network.modules():
        if isinstance(module, nn.Conv2d | nn.ConvTranspose2d):
            module.to(torch.bfloat16).register_forward_pre_hook(_narrow)
            if module.out_channels == 3:
                module.register_forward_hook(_widen)

    def paint(photos: Tensor) -> Tensor:
        # A CPU's autocast would pad in float32; on a GPU, norms with weights take one type alone.
        with torch.autocast(device.type, torch.bfloat16, enabled=device.type != "cpu"):
            paintings: Tensor = network(photos.contiguous(memory_format=torch.channels_last))
        return paintings.float()

    return paint


def _narrow(module: nn.Module, inputs: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
    return tuple(each.to(torch.bfloat16) for each in inputs)


def _widen(module: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> Tensor:
    return output.float()
