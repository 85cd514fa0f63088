"""Pool of earlier fakes that are shown to the discriminator again."""

import torch
from torch import Tensor, nn

from impasto import parallel


class ImagePool(nn.Module):
    """Buffer of up to ``capacity`` fakes (3, size, size): Shrivastava et al. 2017, arXiv:1612.07828, section 2.3, with
    one image at a time as in CycleGAN (Zhu et al. 2017, arXiv:1703.10593, section 4: 50 fakes).

    Its content is part of the state dict, so training resumes with the same fakes.
    """

    pictures: Tensor  #: (capacity, 3, size, size)
    seen: Tensor  #: number of fakes received, a scalar

    def __init__(self, capacity: int, size: int) -> None:
        super().__init__()
        self.capacity = capacity
        self.register_buffer("pictures", torch.zeros(capacity, 3, size, size))
        self.register_buffer("seen", torch.zeros((), dtype=torch.long))

    @torch.no_grad()
    def forward(self, fakes: Tensor, rng: torch.Generator) -> Tensor:
        """Return as many images as ``fakes`` (B, 3, size, size), detached; with capacity 0 the fakes themselves.

        Each fake in turn is stored and returned while the pool is not full; afterwards, with probability ½, it is
        swapped with a random one of the pool. ``rng`` is on the fakes' device. In data-parallel training all processes
        hold the same pool, and the fakes of all pass through it.
        """
        if not self.capacity:
            return fakes
        fakes = parallel.gather(fakes)
        count, device = len(fakes), fakes.device
        coin = torch.rand(count, device=device, generator=rng)
        slots = torch.randint(self.capacity, (count,), device=device, generator=rng)
        order = torch.arange(count, device=device)
        filling = self.seen + order < self.capacity
        swapped = ~filling & (coin < 0.5)
        slots = torch.where(filling, self.seen + order, slots)

        # Vectorised, with the result of a sequential loop: a fake may be swapped with one that was written into its
        # slot earlier in the same batch.
        writes = (slots[:, None] == slots) & (filling | swapped)  # (B, B): fake k writes the slot of fake i
        last = torch.where(writes, order, -1).amax(1)
        previous = torch.where(writes & (order < order[:, None]), order, -1).amax(1)
        images = torch.cat([self.pictures[slots], fakes.to(self.pictures.dtype)])  # of the pool, then the fakes
        read = torch.where(previous < 0, order, count + previous)
        written = torch.where(last < 0, order, count + last)
        # Where a slot occurs twice, both rows write the same image, so their order does not matter.
        self.pictures[slots] = images[written]
        self.seen.add_(count)
        returned = parallel.part(torch.where(swapped, read, count + order))
        return images[returned].to(fakes.dtype)
