"""What is wrong with the pictures of a set, and what to do about it before a training."""

from collections.abc import Iterator, Sequence

from impasto.config.recipe import Recipe
from impasto.data.pixel_store import is_pack
from impasto.exploration.results import THIN, Advice, Domain, Shares
from impasto.reports.evaluation_text import listed, number
from impasto.reports.exploration_text import many, place

#: Below this share of pictures, finds may all be mistaken, or do no harm.
SUSPECTED = 0.05
#: Colourfulness below which a picture looks grey; 15 is slightly colourful (Hasler & Süsstrunk 2003, table 2).
GREY = 5.0
#: How far outside the range of nine in ten pictures a measure is odd, in lengths of that range: of normally distributed
#: measures one in a thousand is.
ODD = 0.5
#: The share of a picture that is worth to be cut off it, at most, to get rid of a mark.
CUT = 0.4
#: Names that are told of each kind.
NAMED = 3


def find_issues(domain: Domain, recipe: Recipe) -> Iterator[Advice]:
    """All of them, the most important first."""
    yield from framed(domain)
    yield from tiny(domain, recipe)
    yield from doubles(domain)
    yield from common(domain)
    yield from marked(domain)
    yield from long(domain)
    yield from grey(domain)
    yield from strange(domain)


def common_frames(domain: Domain) -> bool:
    """Whether frames are to be taken off: many pictures have one."""
    return len(domain.framed) > 0 and len(domain.framed) >= SUSPECTED * domain.closely


def framed(domain: Domain) -> Iterator[Advice]:
    """Borders, mounts and frames, unless they are taken off already; a training can take them off paintings alone."""
    names = [each.name for each in domain.framed]
    if not names or any(picture.frame for picture in domain.inventory.pictures):
        return
    found = f"{len(names):,} of {domain.closely:,} {domain.role} that were looked at closely"
    thin = f" Of {domain.thin_edges:,} it is but an edge of less than {THIN:.0%}." if domain.thin_edges else ""
    if domain.role == "photos":
        yield Advice(
            what="Look at the photos that may have a border, and take out those that do.",
            why=f"{found} may have one: {some(names)}. A sky or mist that ends in a level line looks like one too."
            f"{thin} --crop-frames is for paintings.",
        )
    elif not common_frames(domain):
        yield Advice(
            what=f"Look at the frames that were found around {domain.role} before you crop.",
            why=f"Only {found} may have one, so few that all may be mistaken: {some(names)}.",
        )
    elif is_pack(domain.inventory.source):
        yield Advice(
            what=f"Pack the {domain.role} again with --crop-frames.",
            why=f"{found} {_have(names)} a border, mount or frame, which would be learned as part of the picture."
            f"{thin} Only packing can take it off.",
        )
    else:
        yield Advice(
            what="Take the frames off with --crop-frames.",
            why=f"{found} {_have(names)} a border, mount or frame, which would be learned as part of the painting."
            f"{thin}",
        )


def tiny(domain: Domain, recipe: Recipe) -> Iterator[Advice]:
    """Pictures that would have to be enlarged more than twice."""
    kept = recipe.stored_size
    found = sorted(domain.inventory.pictures, key=lambda picture: picture.short_side)
    sizes = [f"{each.name} ({each.width}×{each.height})" for each in found if 2 * each.short_side < kept]
    if sizes:
        yield Advice(
            what=f"Take the {domain.role} out that are far too small.",
            why=f"{len(sizes):,} of {domain.count:,} {_have(sizes)} less than half of the {kept} pixels that "
            f"{recipe.name} cuts its squares out of, and would be a blur: {some(sizes)}.",
        )


def doubles(domain: Domain) -> Iterator[Advice]:
    """Pictures that are nearly the same as others."""
    pairs = domain.inventory.near_duplicates
    if pairs:
        count = spare(pairs)
        yield Advice(
            what=f"Keep one of each of the {domain.role} that are nearly the same.",
            why=f"{many(count, 'picture')} of {domain.count:,} {'is' if count == 1 else 'are'} there nearly a second "
            f"time: {some([f'{one} and {other}' for one, other in pairs])}. They would count double, and what is held "
            "out might be known.",
        )


def spare(pairs: Sequence[tuple[str, str]]) -> int:
    """How many pictures can go so that one is left of each group that the pairs form."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    names = {name: place for place, name in enumerate({name: None for pair in pairs for name in pair})}
    ones, others = ([names[pair[side]] for pair in pairs] for side in (0, 1))
    links = coo_array(([1] * len(pairs), (ones, others)), shape=(len(names), len(names)))
    groups: int = connected_components(links, directed=False, return_labels=False)
    return len(names) - groups


def common(domain: Domain) -> Iterator[Advice]:
    """Marks that many have at the same place, such as a site's watermark."""
    for each in domain.common:
        side, share = _nearest_side(each.box)
        if share <= CUT:
            what, cut = f"Crop the {side} of the {domain.role} off", f"To cut {share:.0%} off is enough"
        else:
            what, cut = (
                f"Find other copies of the {domain.role}",
                f"To cut it off would cost {share:.0%} of the picture",
            )
        yield Advice(
            what=f"{what}: many bear the same mark {place(each.box)}.",
            why=f"There are {each.why}. {cut}. What many pictures bear is painted into new ones.",
        )


def _nearest_side(box: Shares) -> tuple[str, float]:
    """The side where least is to be cut off to be rid of a box, and how much of the picture that is."""
    left, top, right, bottom = box
    lost = {"bottom": 1 - top, "top": bottom, "right side": 1 - left, "left side": right}
    return min(lost.items(), key=lambda each: each[1])


def marked(domain: Domain) -> Iterator[Advice]:
    """Watermarks, and on paintings also signatures and seals where many have them."""
    of = f"of {domain.closely:,} {domain.role} that were looked at closely may have one"
    stamped = [*dict.fromkeys(mark.name for mark in domain.marks if mark.kind == "watermark")]
    if stamped:
        yield Advice(
            what=f"Look at the {domain.role} that may have a watermark, and take out those that do.",
            why=f"{len(stamped):,} {of}: {some(stamped)}. What many pictures bear is painted into new ones.",
        )
    signed = [*dict.fromkeys(mark.name for mark in domain.marks if mark.kind != "watermark")]
    if domain.role == "paintings" and signed and len(signed) >= SUSPECTED * domain.closely:
        yield Advice(
            what="Cut signatures and seals off, or expect scrawls in their places.",
            why=f"{len(signed):,} {of}: {some(signed)}.",
        )


def long(domain: Domain) -> Iterator[Advice]:
    """Pictures that lose more than half, since their middle square is learned from."""
    lost: dict[str, float] = {}
    for picture in domain.inventory.pictures:
        left, top, right, bottom = picture.frame or (0, 0, picture.width, picture.height)
        lost[picture.name] = 1 - picture.short_side / max(right - left, bottom - top)
    names = sorted((name for name, share in lost.items() if share > 0.5), key=lambda name: -lost[name])
    if names:
        yield Advice(
            what=f"Cut the long {domain.role} up into squares yourself.",
            why=f"The middle square of a picture is learned from, and {len(names):,} of {domain.count:,} "
            f"{'loses' if len(names) == 1 else 'lose'} more than half of the area: "
            f"{some([f'{name} ({lost[name]:.0%})' for name in names])}.",
        )


def grey(domain: Domain) -> Iterator[Advice]:
    """Pictures without colour, among others or alone."""
    names = [each.name for each in domain.looks if each.colourfulness < GREY]
    share = len(names) / max(1, domain.count)
    why = f"{len(names):,} of {domain.count:,} {domain.role} {_have(names)} hardly any colour"
    if share > 1 - SUSPECTED:
        what = "Expect grey paintings." if domain.role == "paintings" else "Find photos in colour."
        yield Advice(what=what, why=f"{why}.")
    elif share >= SUSPECTED:
        yield Advice(
            what=f"Part the grey {domain.role} from the coloured ones.",
            why=f"{why}, and mixed neither is learned well: {some(names)}.",
        )


def strange(domain: Domain) -> Iterator[Advice]:
    """Untypical pictures that are also far outside the range of the others in one of their numbers."""
    looks = {each.name: each for each in domain.looks}
    odd: list[str] = []
    for name in domain.untypical:
        for measure, spread in domain.spreads.items():
            value = getattr(looks.get(name), measure, None)
            room = ODD * (spread.high - spread.low)
            if value is not None and room > 0 and not spread.low - room <= value <= spread.high + room:
                odd.append(f"{name} ({measure} {number(value)}, mostly {number(spread.low)} to {number(spread.high)})")
                break
    if odd:
        yield Advice(
            what=f"See whether {'this belongs' if len(odd) == 1 else 'these belong'} to your {domain.role}.",
            why=f"{len(odd):,} of the least typical {'is' if len(odd) == 1 else 'are'} also far off in a number: "
            f"{some(odd)}.",
        )


def some(names: Sequence[str]) -> str:
    """The first few, and how many more there are."""
    more = len(names) - NAMED
    return f"{', '.join(names[:NAMED])} and {more:,} more" if more > 0 else listed(names)


def _have(names: Sequence[str]) -> str:
    return "has" if len(names) == 1 else "have"
