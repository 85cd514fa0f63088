"""Issues of a data set that should be fixed before training."""

from collections.abc import Iterator, Sequence

from impasto.config.recipe import Recipe
from impasto.errors import require
from impasto.exploration.phrases import count_noun, describe_position, first_names, has_or_have
from impasto.exploration.results import THIN_FRAME, Domain, Recommendation, RelativeBox
from impasto.metrics.formatting import format_number

#: Fraction of the images below which all findings may be false positives, or harmless.
MIN_SHARE = 0.05
#: Colourfulness below which an image looks grey; 15 is slightly colourful (Hasler & Süsstrunk 2003, table 2).
GREY = 5.0
#: Distance outside the range of the 5th to 95th percentile, relative to that range, from which a statistic is an
#: outlier; of a normal distribution one in a thousand is.
OUTLIER_DISTANCE = 0.5
#: Fraction of the image that is worth cropping to remove a watermark.
MAX_CROP = 0.4


def find_issues(domain: Domain, recipe: Recipe) -> Iterator[Recommendation]:
    """Yield a recommendation for each issue, most important first."""
    yield from frames(domain)
    yield from low_resolution(domain, recipe)
    yield from near_duplicates(domain)
    yield from common_watermarks(domain)
    yield from watermarks(domain)
    yield from elongated(domain)
    yield from greyscale(domain)
    yield from outliers(domain)


def frames_are_common(domain: Domain) -> bool:
    """Whether enough images have a frame for cropping to be worthwhile."""
    return len(domain.frames) > 0 and len(domain.frames) >= MIN_SHARE * domain.inspected


def frames(domain: Domain) -> Iterator[Recommendation]:
    """Borders, mounts and frames that have not been cropped. Training crops them from paintings only."""
    names = [each.name for each in domain.frames]
    if not names or any(image.frame for image in domain.inventory.pictures):
        return
    found = f"{len(names):,} of the {domain.inspected:,} {domain.role} inspected"
    thin = f" {domain.thin_frames:,} are thin edges of less than {THIN_FRAME:.0%}." if domain.thin_frames else ""
    if domain.role == "photos":
        yield Recommendation(
            action="Check the photos that may have a border, and remove those that do.",
            reason=f"{found} may have one: {first_names(names)}. Sky or mist above a level horizon can be mistaken for "
            f"one.{thin} --crop-frames applies to paintings only.",
        )
    elif not frames_are_common(domain):
        yield Recommendation(
            action=f"Check the frames that were detected around {domain.role} before you crop them.",
            reason=f"Only {found} may have one, so few that all may be false positives: {first_names(names)}.",
        )
    elif domain.is_pack:
        yield Recommendation(
            action=f"Pack the {domain.role} again with --crop-frames.",
            reason=f"{found} {has_or_have(names)} a border, mount or frame, which the model would learn.{thin} Frames "
            "can only be cropped when packing.",
        )
    else:
        yield Recommendation(
            action="Crop the frames with --crop-frames.",
            reason=f"{found} {has_or_have(names)} a border, mount or frame, which the model would learn.{thin}",
        )


def low_resolution(domain: Domain, recipe: Recipe) -> Iterator[Recommendation]:
    """Images that would be enlarged more than twofold."""
    stored = recipe.stored_size
    images = sorted(domain.inventory.pictures, key=lambda image: image.short_side)
    sizes = [f"{each.name} ({each.width}×{each.height})" for each in images if 2 * each.short_side < stored]
    if sizes:
        yield Recommendation(
            action=f"Remove the {domain.role} that are far too small.",
            reason=f"{len(sizes):,} of {domain.count:,} {has_or_have(sizes)} less than half of the {stored} pixels "
            f"that {recipe.name} trains on, and would be blurred: {first_names(sizes)}.",
        )


def near_duplicates(domain: Domain) -> Iterator[Recommendation]:
    """Near duplicates of other images."""
    pairs = domain.inventory.near_duplicates
    if pairs:
        names = first_names([f"{one} and {other}" for one, other in pairs])
        yield Recommendation(
            action=f"Keep one of each group of near-duplicate {domain.role}.",
            reason=f"{redundant_count(pairs):,} of {domain.count:,} {domain.role} repeat another one: {names}. They "
            "count twice in training, and may leak from the training images into the held-out ones.",
        )


def redundant_count(pairs: Sequence[tuple[str, str]]) -> int:
    """Return the number of images to remove so that one is left of each group that the pairs connect."""
    sparse = require("scipy.sparse", extra="train")
    csgraph = require("scipy.sparse.csgraph", extra="train")

    names = {name: index for index, name in enumerate({name: None for pair in pairs for name in pair})}
    ones, others = ([names[pair[side]] for pair in pairs] for side in (0, 1))
    links = sparse.coo_array(([1] * len(pairs), (ones, others)), shape=(len(names), len(names)))
    groups: int = csgraph.connected_components(links, directed=False, return_labels=False)
    return len(names) - groups


def common_watermarks(domain: Domain) -> Iterator[Recommendation]:
    """Marks that many images have at the same place, such as a website's watermark."""
    for each in domain.common_watermarks:
        side, share = _nearest_side(each.box)
        if share <= MAX_CROP:
            action, effect = f"Crop the {side} of the {domain.role}", f"Cropping {share:.0%} removes it"
        else:
            action = f"Find other copies of the {domain.role}"
            effect = f"Cropping it would cost {share:.0%} of the image"
        yield Recommendation(
            action=f"{action}: many have the same mark {describe_position(each.box)}.",
            reason=f"{each.reason[:1].upper()}{each.reason[1:]}. {effect}. Generated paintings reproduce such marks.",
        )


def _nearest_side(box: RelativeBox) -> tuple[str, float]:
    """Return the side at which removing a box costs least, and the fraction of the image it costs."""
    left, top, right, bottom = box
    lost = {"bottom": 1 - top, "top": bottom, "right side": 1 - left, "left side": right}
    return min(lost.items(), key=lambda each: each[1])


def watermarks(domain: Domain) -> Iterator[Recommendation]:
    """Watermarks, and signatures and seals if many paintings have them."""
    of = f"of the {domain.inspected:,} {domain.role} inspected may have one"
    marked = [*dict.fromkeys(each.name for each in domain.watermarks if each.kind == "watermark")]
    if marked:
        yield Recommendation(
            action=f"Check the {domain.role} that may have a watermark, and remove those that do.",
            reason=f"{len(marked):,} {of}: {first_names(marked)}. Generated paintings reproduce watermarks.",
        )
    signed = [*dict.fromkeys(each.name for each in domain.watermarks if each.kind != "watermark")]
    if domain.role == "paintings" and signed and len(signed) >= MIN_SHARE * domain.inspected:
        yield Recommendation(
            action="Crop signatures and seals, or expect imitations of them in generated paintings.",
            reason=f"{len(signed):,} {of}: {first_names(signed)}.",
        )


def elongated(domain: Domain) -> Iterator[Recommendation]:
    """Images that lose more than half of their area to the centre crop."""
    lost: dict[str, float] = {}
    for image in domain.inventory.pictures:
        left, top, right, bottom = image.frame or (0, 0, image.width, image.height)
        lost[image.name] = 1 - image.short_side / max(right - left, bottom - top)
    names = sorted((name for name, share in lost.items() if share > 0.5), key=lambda name: -lost[name])
    if names:
        yield Recommendation(
            action=f"Cut the long {domain.role} into squares.",
            reason=f"Training uses the centre square of an image; {len(names):,} of {domain.count:,} "
            f"{'loses' if len(names) == 1 else 'lose'} more than half of the area: "
            f"{first_names([f'{name} ({lost[name]:.0%})' for name in names])}.",
        )


def greyscale(domain: Domain) -> Iterator[Recommendation]:
    """Images almost without colour."""
    names = [each.name for each in domain.statistics if each.colourfulness < GREY]
    share = len(names) / max(1, domain.count)
    reason = f"{len(names):,} of {domain.count:,} {domain.role} {has_or_have(names)} hardly any colour"
    if share > 1 - MIN_SHARE:
        action = "Expect grey paintings." if domain.role == "paintings" else "Find photos in colour."
        yield Recommendation(action=action, reason=f"{reason}.")
    elif share >= MIN_SHARE:
        yield Recommendation(
            action=f"Separate the grey {domain.role} from the coloured ones.",
            reason=f"{reason}, and a model trained on both learns neither well: {first_names(names)}.",
        )


def outliers(domain: Domain) -> Iterator[Recommendation]:
    """Outliers by features that are also far outside the range of the others in a statistic."""
    statistics = {each.name: each for each in domain.statistics}
    found: list[str] = []
    for name in domain.outliers:
        for statistic, usual in domain.percentiles.items():
            value = getattr(statistics.get(name), statistic, None)
            room = OUTLIER_DISTANCE * (usual.high - usual.low)
            if value is not None and room > 0 and not usual.low - room <= value <= usual.high + room:
                low, high = format_number(usual.low), format_number(usual.high)
                found.append(f"{name} ({statistic} {format_number(value)}, usually {low} to {high})")
                break
    if found:
        yield Recommendation(
            action=f"Check whether {count_noun(len(found), 'outlier')} belong{'s' if len(found) == 1 else ''} to the "
            f"{domain.role}.",
            reason=f"Features and a statistic of {'this image' if len(found) == 1 else 'these images'} are far from "
            f"those of the others: {first_names(found)}.",
        )
