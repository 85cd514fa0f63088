"""What an exploration says, in plain words and from nothing but its numbers: for the page and for a shell."""

from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import groupby

import numpy as np

from impasto.data.inventory import summarise
from impasto.exploration.results import Domain, Exploration, Gap, Shares
from impasto.reports.evaluation_text import SURE, decimals, listed, measured, number

EVEN = 1.5
"""Up to this ratio, two domains count as about equally large."""

SHOWN = 2
"""Lines of each kind of fault in a shell; the page holds them all."""


MODES = {
    "RGB": "colour",
    "RGBA": "colour with transparency",
    "L": "grey",
    "LA": "grey with transparency",
    "P": "colours of a table",
    "CMYK": "colours for print",
    "1": "black and white",
    "I;16": "grey, 16 bits",
}
"""What Pillow's names of pixels mean."""


def counts(found: Exploration) -> str:
    """``300 paintings and 7,028 photos``."""
    return listed([many(domain.count, domain.role.removesuffix("s")) for domain in found.domains])


def balance(found: Exploration) -> list[str]:
    """How many paintings there are to how many photos, and what that means for a training; empty for one domain."""
    if found.photos is None:
        return []
    paintings, photos = found.paintings.count, found.photos.count
    few, plenty = ("painting", "photo") if paintings <= photos else ("photo", "painting")
    ratio = max(paintings, photos) / max(min(paintings, photos), 1)
    labels = "There are no class labels to balance."
    if ratio <= EVEN:
        return [
            f"{counts(found)}: about as many of one as of the other.",
            "A step sees as many paintings as photos, so a training sees each of either about equally often.",
            labels,
        ]
    times = f"{ratio:.0f}" if ratio >= 9.5 else f"{ratio:.1f}"
    risk = (
        f"So {few}s are oversampled {times}-fold and can be learned by heart; "
        f"{plenty}s are seen seldom enough to stay new."
    )
    return [
        f"{many(paintings, 'painting')} to {many(photos, 'photo')}: not balanced, {times} {plenty}s for each {few}.",
        f"A step sees as many paintings as photos, so each {few} is seen {times} times while each {plenty} is seen "
        "once.",
        risk,
        labels,
    ]


def distance(gap: Gap) -> str:
    """How far photos are from paintings, beside how far one half of the paintings is from the other."""
    kid = gap.distance
    floor = max(kid.floor or 0.0, 0.0)
    numbers = f"KID[{gap.network}] is {measured(kid)}, {gap.counts}"
    if kid.floor is None:
        return f"How far photos are from paintings: {numbers}."
    numbers = f"{numbers}; its floor is {number(kid.floor, decimals(kid))}"
    if kid.value - floor <= SURE * (kid.error or 0.0):
        return f"Photos cannot be told from paintings by so many pictures: {numbers}."
    if floor <= (kid.error or 0.0):
        return f"Photos can be told from paintings, while one half of the paintings is like the other: {numbers}."
    times = kid.value / floor
    return (
        f"Photos are {times:,.0f} times as far from paintings as one half of the paintings from the other: {numbers}."
        if times >= 9.5
        else f"Photos are {times:.1f} times as far from paintings as one half of the paintings from the other: "
        f"{numbers}."
    )


def details(domain: Domain) -> Iterator[tuple[str, str]]:
    """What the files are, in words."""
    survey = domain.inventory
    files = survey.pictures
    yield "pictures", f"{domain.count:,}"
    if not files:
        return
    yield "formats", _counted(Counter(each.format for each in files), len(files))
    yield "modes", _counted(Counter(each.mode for each in files), len(files), MODES)
    extents = Counter((each.width, each.height) for each in files)
    if len(extents) == 1:
        width, height = next(iter(extents))
        yield "sizes", f"each {width:,}×{height:,}"
    else:
        by_area = sorted(extents, key=lambda extent: (extent[0] * extent[1], extent))
        (width, height), (wide, high) = by_area[0], by_area[-1]
        yield "sizes", f"from {width:,}×{height:,} to {wide:,}×{high:,}, {len(extents):,} different"
        yield "median short side", f"{np.median([min(each.width, each.height) for each in files]):,.0f} px"
    ratios = np.array([each.width / each.height for each in files])
    square = int((np.abs(np.log(ratios)) < np.log(1.05)).sum())
    shapes = {"square": square, "wide": int((ratios >= 1.05).sum()), "tall": 0}
    shapes["tall"] = len(files) - square - shapes["wide"]
    yield "shapes", _counted(Counter(shapes), len(files))
    if cropped := sum(each.frame is not None for each in files):
        yield "cropped to what is inside a frame", f"{cropped:,}"
    if survey.junk:
        yield "files of the system's own, passed over", f"{survey.junk:,}"


def _counted(counts: Counter[str], whole: int, meanings: dict[str, str] | None = None) -> str:
    """``all JPEG``, or ``90 JPEG, 10 PNG``."""
    names = {name: f"{name} ({meanings[name]})" if meanings and name in meanings else name for name in counts}
    there = [(name, count) for name, count in counts.most_common() if count]
    if len(there) == 1 and whole > 1:
        return f"all {names[there[0][0]]}"
    return ", ".join(f"{count:,} {names[name]}" for name, count in there)


def sampling(domain: Domain) -> list[str]:
    """How many pictures were measured, compared with each other and looked at closely."""
    there, compared, closely = domain.count, len(domain.sample), domain.closely
    if there == 1:
        return [f"{_all(domain)} measured, and searched for frames and marks."]
    if there == compared == closely:
        return [f"{_all(domain)} measured, compared with each other, and searched for frames and marks."]
    lines = [f"{_all(domain)} measured: brightness, colours, sharpness and the like."]
    for count, done in ((compared, "compared with each other"), (closely, "searched for frames and marks")):
        some = f"{count:,} of {there:,} {domain.role}, evenly spread over the set," if count < there else ""
        lines.append(f"{some} {_were(count)} {done}.".strip() if some else f"{_all(domain)} {done}.")
    return lines


def faults(domain: Domain) -> list[str]:
    """What is wrong with the pictures of a domain, a sentence for each kind; empty where nothing was found."""
    survey = domain.inventory
    left_out, same, near = len(survey.left_out), len(survey.duplicates), len(survey.near_duplicates)
    small = sum(picture.short_side < survey.size for picture in survey.pictures)
    lines = []
    if left_out:
        lines.append(f"{many(left_out, 'file')} left out: no usable {'picture' if left_out == 1 else 'pictures'}.")
    if same:
        lines.append(f"{many(same, 'exact duplicate')} dropped.")
    if near:
        lines.append(f"{many(near, 'pair')} nearly the same, kept.")
    if small:
        lines.append(
            f"{many(small, 'picture')} smaller than {survey.size} pixels, so enlarged, which leaves them soft."
        )
    return lines + suspects(domain)


def suspects(domain: Domain) -> list[str]:
    """What was found of frames and marks, a sentence each."""
    closely = many(domain.closely, domain.role.removesuffix("s"))
    lines = []
    if domain.framed:
        thin = f", {domain.thin_edges:,} of them but a thin edge" if domain.thin_edges else ""
        lines.append(f"{len(domain.framed):,} of {closely} looked at closely may have a border, mount or frame{thin}.")
    kinds = [(kind, len(list(marks))) for kind, marks in groupby(sorted(mark.kind for mark in domain.marks))]
    if kinds:
        marks = listed([many(count, kind) for kind, count in kinds])
        lines.append(f"{marks} suspected on {closely} looked at closely.")
    if domain.common:
        places = listed([*dict.fromkeys(place(each.box) for each in domain.common)])
        lines.append(f"Many {domain.role} bear the same mark {places}.")
    return lines


def summary(found: Exploration) -> list[str]:
    """The exploration as lines for a shell: what is there, what is wrong with it, and what to do."""
    lines = []
    for domain in found.domains:
        lines += [*_cut(summarise(domain.inventory)), *suspects(domain)]
    if found.gap is not None:
        lines.append(distance(found.gap))
    lines += [" ".join(balance(found)[:-1])] if found.photos is not None else []
    for place, advice in enumerate(found.advice, start=1):
        lines.append(f"{place}. {advice.what.rstrip('.')}: {advice.why}")
        lines += [f"   {advice.command}"] if advice.command else []
    return lines


def place(box: Shares) -> str:
    """Where the middle of a box is: ``at the top left``, ``at the bottom``, ``in the middle``."""
    left, top, right, bottom = box
    across, down = (min(int(3 * (low + high) / 2), 2) for low, high in ((left, right), (top, bottom)))
    named = f"{('top ', '', 'bottom ')[down]}{('left', '', 'right')[across]}".strip()
    return f"at the {named}" if named else "in the middle"


def many(count: int, what: str) -> str:
    """``1 photo``, ``7,028 photos``."""
    return f"{count:,} {what}" if count == 1 else f"{count:,} {what}s"


def _all(domain: Domain) -> str:
    """``All 300 paintings were``; ``The painting was``."""
    one = domain.role.removesuffix("s")
    return f"The {one} was" if domain.count == 1 else f"All {domain.count:,} {domain.role} were"


def _were(count: int) -> str:
    return "was" if count == 1 else "were"


def _cut(lines: Sequence[str]) -> list[str]:
    """A survey's lines with the first few of each list, which are indented."""
    kept: list[str] = []
    listing = 0
    for line in lines:
        listing = listing + 1 if line.startswith("  ") else 0
        if listing <= SHOWN:
            kept.append(line)
        elif listing == SHOWN + 1:
            kept.append("  …")
    return kept
