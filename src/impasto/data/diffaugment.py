"""Differentiable augmentation of all inputs of a discriminator, to train on few images."""

import torch
from torch import Tensor, nn

from impasto import parallel
from impasto.data.resampling import resample, sampling_matrices, triangle

#: Number of images over which the probability can rise from 0 to 1 (Karras et al. 2020, arXiv:2006.06676, section 3).
RAMP = 500_000


class DiffAugment(nn.Module):
    """DiffAugment (Zhao et al. 2020, arXiv:2006.10738, section 3), with strengths; 0 disables a transformation.

    Args:
        color: shifts brightness by up to ± ``color``/2, scales saturation by 1 ± ``color`` and contrast by
            1 ± ``color``/2; the paper uses 1.
        translation: translates by up to this fraction of each side, with subpixel precision; the paper uses 1/8.
        scale: zooms by exp(± ``scale``), so that no pattern of the generator stays aligned with the pixel grid.
        cutout: sets a patch of this fraction of each side to grey, also across the edge; the paper uses 1/2.
        probability: of colour, geometry and cutout for each image: the initial ``p``.
        target: mean sign of the real logits that :meth:`adapt` controls ``p`` for; None leaves ``p`` constant.
    """

    p: Tensor

    def __init__(
        self, color: float, translation: float, scale: float, cutout: float, probability: float, target: float | None
    ) -> None:
        super().__init__()
        self.color, self.translation, self.scale, self.cutout = color, translation, scale, cutout
        self.target = target
        self.register_buffer("p", torch.tensor(float(probability)))

    def forward(self, images: Tensor, rng: torch.Generator) -> Tensor:
        """Augment each image (B, 3, H, W) independently, in float32. ``rng`` is on their device.

        The number of random draws depends on B alone (none if all strengths are 0), so that a change of ``p`` does not
        shift later draws.
        """
        if not (self.color or self.translation or self.scale or self.cutout):
            return images
        draws = torch.rand(11, parallel.whole(len(images)), device=images.device, generator=rng)
        draws = parallel.part(draws, 1)
        color_applied, geometry_applied, cutout_applied = draws[:3, :, None, None, None] < self.p  # each (B, 1, 1, 1)
        brightness, saturation, contrast, right, down, zoom = 2 * draws[3:9] - 1  # each (B,) in −1…1
        result = images.float()
        if self.color:
            varied = recolor(
                result, self.color / 2 * brightness, 1 + self.color * saturation, 1 + self.color / 2 * contrast
            )
            result = torch.where(color_applied, varied, result)
        if self.translation or self.scale:
            varied = zoom_and_translate(
                result, self.translation * right, self.translation * down, (self.scale * zoom).exp()
            )
            result = torch.where(geometry_applied, varied, result)
        if self.cutout:
            result = result * ~(cutout_applied & cutout_mask(result, draws[9], draws[10], self.cutout))
        return result

    @torch.no_grad()
    def adapt(self, sign: Tensor, images: int) -> None:
        """Raise ``p`` if the discriminator overfits, that is r_t = E[sign(D(real))] exceeds ``target``; else lower it.

        Karras et al. 2020, arXiv:2006.06676, section 3.

        Args:
            sign: signs of the logits of real images, any shape; some dozens are better than few.
            images: number of images of this process seen since the last call.
        """
        if self.target is not None:
            direction = (parallel.mean(sign.float().mean()) - self.target).sign()
            self.p.add_(direction * (parallel.whole(images) / RAMP)).clamp_(0, 1)


def recolor(images: Tensor, brightness: Tensor, saturation: Tensor, contrast: Tensor) -> Tensor:
    """Add ``brightness`` to images (B, 3, H, W), then scale ``saturation`` and ``contrast``, each (B,)."""
    brightness, saturation, contrast = (each[:, None, None, None] for each in (brightness, saturation, contrast))
    images = images + brightness
    grey = images.mean(1, keepdim=True)
    images = grey + saturation * (images - grey)
    mean = images.mean((1, 2, 3), keepdim=True)
    return mean + contrast * (images - mean)


def zoom_and_translate(images: Tensor, right: Tensor, down: Tensor, zoom: Tensor) -> Tensor:
    """Zoom images (B, 3, H, W) about their centre, then translate them by fractions of their sides.

    ``right``, ``down`` and ``zoom`` are (B,). Bilinear with reflection at the borders, and twice differentiable.
    """
    columns, rows = (
        _reflected_samples(_centres(images, side), shift, zoom, images.shape[side])
        for side, shift in ((3, right), (2, down))
    )
    return resample(images, rows.to(images.dtype), columns.to(images.dtype))


def _reflected_samples(centres: Tensor, shift: Tensor, zoom: Tensor, pixels: int) -> Tensor:
    """Return the weights (B, N, ``pixels``) of samples along one side at ``centres`` (N,) of the zoomed and shifted
    image."""
    places = (centres - 2 * shift[:, None]) / zoom[:, None]  # (B, N), −1…1 inside of the image
    places = ((places + 1) / 2 * pixels) % (2 * pixels)
    return sampling_matrices(torch.minimum(places, 2 * pixels - places), pixels, triangle, torch.ones_like(shift), 1.0)


def cutout_mask(images: Tensor, across: Tensor, down: Tensor, size: float) -> Tensor:
    """Return a mask (B, 1, H, W) of a patch of the fraction ``size`` of each side, centred at the fractions (B,)."""
    columns = (_centres(images, 3) - (2 * across[:, None] - 1)).abs() < size  # (B, W)
    rows = (_centres(images, 2) - (2 * down[:, None] - 1)).abs() < size  # (B, H)
    return (rows[:, :, None] & columns[:, None])[:, None]


def _centres(images: Tensor, side: int) -> Tensor:
    """Return the pixel centres along one dimension, in −1…1 from edge to edge."""
    count = images.shape[side]
    return (2 * torch.arange(count, device=images.device) + 1) / count - 1
