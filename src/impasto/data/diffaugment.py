"""Augmentation that gradients pass through, for both of a discriminator's inputs, so that few pictures last longer."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

#: Over so many pictures the probability can go from 0 to 1 (Karras et al. 2020, arXiv:2006.06676, section 3).
RAMP = 500_000


class DiffAugment(nn.Module):
    """DiffAugment (Zhao et al. 2020, arXiv:2006.10738, section 3), at the strengths given; 0 leaves a part out.

    Args:
        color: Brightness shifted by up to ± ``color``/2, saturation scaled by 1 ± ``color``, contrast by
            1 ± ``color``/2; 1 is the paper's.
        translation: Moved by up to this fraction of each side, by any part of a pixel; the paper's is 1/8.
        scale: Zoomed by exp(± ``scale``). With it no pattern stays in phase with the pixels, so the discriminator
            cannot reward one that does.
        cutout: A patch of this fraction of each side made grey, anywhere, also across the edge; the paper's is ½.
        probability: How likely each of colour, movement and cutout is done to a picture: ``p`` at the start.
        target: The mean sign of the real logits that ``adapt`` steers ``p`` towards; None keeps ``p`` as it is.
    """

    p: Tensor

    def __init__(
        self, color: float, translation: float, scale: float, cutout: float, probability: float, target: float | None
    ) -> None:
        super().__init__()
        self.color, self.translation, self.scale, self.cutout = color, translation, scale, cutout
        self.target = target
        self.register_buffer("p", torch.tensor(float(probability)))

    def forward(self, pictures: Tensor, rng: torch.Generator) -> Tensor:
        """Pictures (B, 3, H, W) varied each by itself, in float32. ``rng`` is on their device.

        How many random numbers are drawn depends on B alone (none where all strengths are 0), so that a change of
        ``p`` leaves all later ones as they are.
        """
        if not (self.color or self.translation or self.scale or self.cutout):
            return pictures
        draws = torch.rand(11, len(pictures), device=pictures.device, generator=rng)
        recolored, moved, cut = draws[:3, :, None, None, None] < self.p  # each (B, 1, 1, 1)
        brightness, saturation, contrast, right, down, zoom = 2 * draws[3:9] - 1  # each (B,) in −1…1
        result = pictures.float()
        if self.color:
            varied = recolor(
                result, self.color / 2 * brightness, 1 + self.color * saturation, 1 + self.color / 2 * contrast
            )
            result = torch.where(recolored, varied, result)
        if self.translation or self.scale:
            varied = move(result, self.translation * right, self.translation * down, (self.scale * zoom).exp())
            result = torch.where(moved, varied, result)
        if self.cutout:
            result = result * ~(cut & patch(result, draws[9], draws[10], self.cutout))
        return result

    @torch.no_grad()
    def adapt(self, sign: Tensor, pictures: int) -> None:
        """Moves ``p`` up where the discriminator is surer of its reals than ``target``, down where it is less sure.

        ``sign`` are the signs of its logits for real pictures (any shape), ``pictures`` how many were seen since the
        last call. The mean of few signs is coarse: some dozens at once are better. Karras et al. 2020,
        arXiv:2006.06676, section 3, with their r_t.
        """
        if self.target is not None:
            direction = (sign.float().mean() - self.target).sign()
            self.p.add_(direction * (pictures / RAMP)).clamp_(0, 1)


def recolor(pictures: Tensor, brightness: Tensor, saturation: Tensor, contrast: Tensor) -> Tensor:
    """Pictures (B, 3, H, W) with ``brightness`` added, then ``saturation`` and ``contrast`` scaled, each (B,)."""
    brightness, saturation, contrast = (each[:, None, None, None] for each in (brightness, saturation, contrast))
    pictures = pictures + brightness
    grey = pictures.mean(1, keepdim=True)
    pictures = grey + saturation * (pictures - grey)
    mean = pictures.mean((1, 2, 3), keepdim=True)
    return mean + contrast * (pictures - mean)


def move(pictures: Tensor, right: Tensor, down: Tensor, zoom: Tensor) -> Tensor:
    """Pictures (B, 3, H, W) enlarged by ``zoom`` about their centre, then moved by fractions of their sides.

    ``right``, ``down`` and ``zoom`` are (B,). Bilinear; what comes in from outside is the reflection.
    """
    # Not affine_grid: under autocast it computes the places in bf16, whole pixels wrong.
    x = (_centres(pictures, 3) - 2 * right[:, None]) / zoom[:, None]  # (B, W)
    y = (_centres(pictures, 2) - 2 * down[:, None]) / zoom[:, None]  # (B, H)
    count, _, height, width = pictures.shape
    grid = torch.stack([x[:, None].expand(count, height, width), y[:, :, None].expand(count, height, width)], 3)
    return F.grid_sample(pictures, grid, mode="bilinear", padding_mode="reflection", align_corners=False)


def patch(pictures: Tensor, across: Tensor, down: Tensor, size: float) -> Tensor:
    """True (B, 1, H, W) within a patch of the fraction ``size`` of each side, its middle at (B,) fractions of them."""
    columns = (_centres(pictures, 3) - (2 * across[:, None] - 1)).abs() < size  # (B, W)
    rows = (_centres(pictures, 2) - (2 * down[:, None] - 1)).abs() < size  # (B, H)
    return (rows[:, :, None] & columns[:, None])[:, None]


def _centres(pictures: Tensor, side: int) -> Tensor:
    """Where the pixels lie along one side, in −1…1 from edge to edge."""
    count = pictures.shape[side]
    return (2 * torch.arange(count, device=pictures.device) + 1) / count - 1
