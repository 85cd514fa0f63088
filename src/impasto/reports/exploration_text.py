"""Text of an exploration, for the report and the command line."""

from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import groupby

import numpy as np

from impasto.data.inventory import summarise
from impasto.exploration.phrases import count_noun, describe_position
from impasto.exploration.results import Domain, DomainGap, Exploration
from impasto.metrics.formatting import SIGNIFICANT, format_number, format_value, join_words, value_decimals

BALANCED_RATIO = 1.5
"""Maximum ratio of the sizes of two domains that count as balanced."""

MAX_LISTED = 2
"""Lines per kind of finding on the command line; the report has all."""

MODES = {
    "RGB": "colour",
    "RGBA": "colour with transparency",
    "L": "grey",
    "LA": "grey with transparency",
    "P": "indexed colour",
    "CMYK": "print colours",
    "1": "black and white",
    "I;16": "grey, 16 bits",
}
"""Descriptions of Pillow's pixel modes."""


def counts(exploration: Exploration) -> str:
    """Return ``300 paintings and 7,028 photos``."""
    return join_words([_count(domain) for domain in exploration.domains])


def balance(exploration: Exploration) -> list[str]:
    """Describe the ratio of paintings to photos and its effect on training; empty for one domain."""
    if exploration.photos is None:
        return []
    paintings, photos = exploration.paintings.count, exploration.photos.count
    few, many = ("painting", "photo") if paintings <= photos else ("photo", "painting")
    ratio = max(paintings, photos) / max(min(paintings, photos), 1)
    labels = "There are no class labels to balance."
    if ratio <= BALANCED_RATIO:
        return [
            f"{counts(exploration)}: balanced.",
            "Each training step uses as many paintings as photos, so each image of either is seen about equally often.",
            labels,
        ]
    times = f"{ratio:.0f}" if ratio >= 9.5 else f"{ratio:.1f}"
    return [
        f"{counts(exploration)}: not balanced, {times} {many}s per {few}.",
        f"Each training step uses as many paintings as photos, so each {few} is seen {times} times while each {many} "
        "is seen once.",
        f"The {few}s are oversampled {times}-fold and can be memorised.",
        labels,
    ]


def distance(gap: DomainGap) -> str:
    """Describe the distance between photos and paintings, relative to its floor."""
    kid = gap.distance
    floor = max(kid.floor or 0.0, 0.0)
    numbers = f"KID[{gap.network}] is {format_value(kid)}, {gap.counts}"
    if kid.floor is None:
        return f"Distance between photos and paintings: {numbers}."
    numbers = f"{numbers}; its floor is {format_number(kid.floor, value_decimals(kid))}"
    if kid.value - floor <= SIGNIFICANT * (kid.error or 0.0):
        return f"Photos and paintings cannot be distinguished with this number of images: {numbers}."
    if floor <= (kid.error or 0.0):
        return f"Photos differ from paintings, while two halves of the paintings do not differ: {numbers}."
    times = kid.value / floor
    return (
        f"Photos are {times:,.{0 if times >= 9.5 else 1}f} times as far from paintings as one half of the paintings is "
        f"from the other: {numbers}."
    )


def details(domain: Domain) -> Iterator[tuple[str, str]]:
    """Yield the properties of the files and their values."""
    inventory = domain.inventory
    files = inventory.pictures
    yield "images", f"{domain.count:,}"
    if not files:
        return
    yield "formats", _frequencies(Counter(each.format for each in files), len(files))
    yield "colour modes", _frequencies(Counter(each.mode for each in files), len(files), MODES)
    sizes = Counter((each.width, each.height) for each in files)
    if len(sizes) == 1:
        width, height = next(iter(sizes))
        yield "size", f"{width:,}×{height:,}"
    else:
        by_area = sorted(sizes, key=lambda size: (size[0] * size[1], size))
        (width, height), (max_width, max_height) = by_area[0], by_area[-1]
        yield "sizes", f"{width:,}×{height:,} to {max_width:,}×{max_height:,}, {len(sizes):,} different"
        yield "median shorter side", f"{np.median([min(each.width, each.height) for each in files]):,.0f} px"
    ratios = np.array([each.width / each.height for each in files])
    square = int((np.abs(np.log(ratios)) < np.log(1.05)).sum())
    shapes = {"square": square, "landscape": int((ratios >= 1.05).sum()), "portrait": 0}
    shapes["portrait"] = len(files) - square - shapes["landscape"]
    yield "orientations", _frequencies(Counter(shapes), len(files))
    if cropped := sum(each.frame is not None for each in files):
        yield "cropped to the inside of a frame", f"{cropped:,}"
    if inventory.junk:
        yield "ignored files of the operating system", f"{inventory.junk:,}"


def _frequencies(counts: Counter[str], total: int, descriptions: dict[str, str] | None = None) -> str:
    """Return ``all JPEG``, or ``90 JPEG, 10 PNG``."""
    descriptions = descriptions or {}
    names = {name: f"{name} ({descriptions[name]})" if name in descriptions else name for name in counts}
    present = [(name, count) for name, count in counts.most_common() if count]
    if len(present) == 1 and total > 1:
        return f"all {names[present[0][0]]}"
    return ", ".join(f"{count:,} {names[name]}" for name, count in present)


def sampling(domain: Domain) -> list[str]:
    """Describe how many images were measured, compared with each other and inspected."""
    total, compared, inspected = domain.count, len(domain.sample), domain.inspected
    if total == 1:
        return [f"{_all_were(domain)} measured and searched for frames and watermarks."]
    if total == compared == inspected:
        return [f"{_all_were(domain)} measured, compared with each other, and searched for frames and watermarks."]
    lines = [f"{_all_were(domain)} measured (brightness, colour, sharpness and so on)."]
    for count, done in ((compared, "compared with each other"), (inspected, "searched for frames and watermarks")):
        sample = f"{count:,} of {total:,} {domain.role}, evenly spaced, {'was' if count == 1 else 'were'}"
        lines.append(f"{sample if count < total else _all_were(domain)} {done}.")
    return lines


def issues(domain: Domain) -> list[str]:
    """Return one sentence per kind of issue; empty if there is none."""
    inventory = domain.inventory
    left_out, exact, near = len(inventory.left_out), len(inventory.duplicates), len(inventory.near_duplicates)
    small = sum(image.short_side < inventory.size for image in inventory.pictures)
    lines = []
    if left_out:
        lines.append(f"{count_noun(left_out, 'file')} left out: no usable {'image' if left_out == 1 else 'images'}.")
    if exact:
        lines.append(f"{count_noun(exact, 'exact duplicate')} dropped.")
    if near:
        lines.append(f"{count_noun(near, 'pair')} of near duplicates, kept.")
    if small:
        lines.append(f"{count_noun(small, 'image')} smaller than {inventory.size} pixels, enlarged and so blurred.")
    return lines + suspicions(domain)


def suspicions(domain: Domain) -> list[str]:
    """Return one sentence per kind of suspected frame or watermark."""
    inspected = f"{count_noun(domain.inspected, domain.role.removesuffix('s'))} inspected"
    lines = []
    if domain.frames:
        thin = f", {domain.thin_frames:,} of them only a thin edge" if domain.thin_frames else ""
        lines.append(f"{len(domain.frames):,} of the {inspected} may have a border, mount or frame{thin}.")
    kinds = [(kind, len(list(group))) for kind, group in groupby(sorted(each.kind for each in domain.watermarks))]
    if kinds:
        lines.append(f"{join_words([count_noun(count, kind) for kind, count in kinds])} suspected in the {inspected}.")
    if domain.common_watermarks:
        positions = join_words([*dict.fromkeys(describe_position(each.box) for each in domain.common_watermarks)])
        lines.append(f"Many {domain.role} have the same mark {positions}.")
    return lines


def summary(exploration: Exploration) -> list[str]:
    """Return the exploration as lines for the command line: inventory, issues and recommendations."""
    lines = []
    for domain in exploration.domains:
        lines += [*_shorten_lists(summarise(domain.inventory)), *suspicions(domain)]
    if exploration.gap is not None:
        lines.append(distance(exploration.gap))
    lines += [" ".join(balance(exploration)[:-1])] if exploration.photos is not None else []
    for number, each in enumerate(exploration.recommendations, start=1):
        lines.append(f"{number}. {each.action.rstrip('.')}: {each.reason}")
        lines += [f"   {each.command}"] if each.command else []
    return lines


def _count(domain: Domain) -> str:
    return count_noun(domain.count, domain.role.removesuffix("s"))


def _all_were(domain: Domain) -> str:
    """Return ``All 300 paintings were`` or ``The painting was``."""
    one = domain.role.removesuffix("s")
    return f"The {one} was" if domain.count == 1 else f"All {domain.count:,} {domain.role} were"


def _shorten_lists(lines: Sequence[str]) -> list[str]:
    """Keep the first :data:`MAX_LISTED` lines of each list; list items are indented."""
    shortened: list[str] = []
    item = 0
    for line in lines:
        item = item + 1 if line.startswith("  ") else 0
        if item <= MAX_LISTED:
            shortened.append(line)
        elif item == MAX_LISTED + 1:
            shortened.append("  …")
    return shortened
