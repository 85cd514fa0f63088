"""Fakes of earlier steps, shown to the discriminator again so that it does not forget them."""

import torch
from torch import Tensor, nn


class ImagePool(nn.Module):
    """Up to ``capacity`` fakes (3, size, size): Shrivastava et al. 2017, arXiv:1612.07828, section 2.3, one at a time
    as CycleGAN does (Zhu et al. 2017, arXiv:1703.10593, section 4: 50 fakes).

    The pool is part of the state: saved and loaded with it, a resumed training sees the same fakes again.
    """

    pictures: Tensor
    seen: Tensor

    def __init__(self, capacity: int, size: int) -> None:
        super().__init__()
        self.capacity = capacity
        self.register_buffer("pictures", torch.zeros(capacity, 3, size, size))
        self.register_buffer("seen", torch.zeros((), dtype=torch.long))

    @torch.no_grad()
    def forward(self, fakes: Tensor, rng: torch.Generator) -> Tensor:
        """As many pictures as ``fakes`` (B, 3, size, size), detached; with capacity 0 the fakes themselves.

        One fake after another: while the pool is not full, it is kept and returned; then, with chance ½, it is
        exchanged for a random one of the pool. ``rng`` is on the fakes' device.
        """
        if not self.capacity:
            return fakes
        count, device = len(fakes), fakes.device
        coin = torch.rand(count, device=device, generator=rng)
        slots = torch.randint(self.capacity, (count,), device=device, generator=rng)
        turn = torch.arange(count, device=device)
        filling = self.seen + turn < self.capacity
        swapped = ~filling & (coin < 0.5)
        slots = torch.where(filling, self.seen + turn, slots)

        # All at once, yet as if in turn: a fake may meet one that came into its slot earlier in the same batch.
        writes = (slots[:, None] == slots) & (filling | swapped)  # (B, B): row i's slot is written in turn k
        last = torch.where(writes, turn, -1).amax(1)
        before = torch.where(writes & (turn < turn[:, None]), turn, -1).amax(1)
        known = torch.cat([self.pictures[slots], fakes.to(self.pictures.dtype)])  # first the pool's, then the fakes
        met = torch.where(before < 0, turn, count + before)
        kept = torch.where(last < 0, turn, count + last)
        # Where a slot occurs twice, both rows write the same picture, so their order does not matter.
        self.pictures[slots] = known[kept]
        self.seen.add_(count)
        return known[torch.where(swapped, met, count + turn)].to(fakes.dtype)
