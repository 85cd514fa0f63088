"""Which pictures of a set are alike, which stand out, and how to lay them out so that it shows.

All of it is of a sample of up to about a thousand pictures, as numbers (N, D): a network's features, or the pixels of
thumbnails. Nothing here is by chance: the same numbers give the same answers.
"""

import math
from contextlib import AbstractContextManager

import numpy as np
from numpy.typing import NDArray

from impasto.config.types import Features, Values

#: Side of the thumbnails that pictures are compared by, pixel by pixel.
THUMBNAIL = 16
#: How many of the nearest others tell how typical a picture is.
NEIGHBOURS = 10
#: Directions that are kept of features before they are grouped or laid out: the rest is mostly noise.
DIRECTIONS = 50
#: A set is divided into so many groups at most, and not at all if it has fewer pictures than this.
MOST_GROUPS, FEWEST_PICTURES = 10, 12

Indices = NDArray[np.intp]


def pixel_vectors(pictures: NDArray[np.uint8]) -> Features:
    """Pictures (N, S, S, 3), S ≥ 16, as colour thumbnails of 16×16, each without its own mean: (N, 768).

    So the cosine of two is the correlation of their pixels, and none is like another for being as bright.
    """
    count, side = pictures.shape[:2]
    edges = np.linspace(0, side, THUMBNAIL + 1).astype(np.intp)
    found = np.empty((count, THUMBNAIL, THUMBNAIL, 3), np.float32)
    for picture, thumbnail in zip(pictures, found, strict=True):  # one at a time: as floats, all would be gigabytes
        sums = np.add.reduceat(np.add.reduceat(picture, edges[:-1], 0, np.float32), edges[:-1], 1)
        thumbnail[:] = sums / (np.diff(edges)[:, None, None] * np.diff(edges)[:, None])
    vectors = found.reshape(count, -1)
    vectors -= vectors.mean(axis=1, keepdims=True)
    return vectors


def similarity(features: Features) -> Features:
    """The cosine of each two of a set's features (N, D), after their mean is taken out: (N, N), -1…1.

    Features pooled by a network have much in common whatever was seen, so that hardly two have a cosine of 0: those of
    two of Monet's paintings have 0.48 on average. Without what all have in common, 0 is as alike as any two of the set.
    Pictures that are the mean itself are like each other and like no other.
    """
    found: Features = _cosines(_centred(features)).astype(np.float32)
    return found


def alike(features: Features) -> float:
    """The mean cosine of two pictures of a set's features (N, D), -1…1: 1 if all are the same, and for a single one.

    Of features as they are: with the set's mean taken out it is just below 0 for any set, alike or not. So it compares
    sets that one network saw, and says little by itself.
    """
    count = len(features)
    if count < 2:
        return 1.0
    cosines = _cosines(features.astype(np.float64))
    return float((cosines.sum() - np.trace(cosines)) / (count * (count - 1)))


def _centred(features: Features) -> Values:
    """Features without their mean, and without what rounding leaves of those that are the mean."""
    values = features.astype(np.float64)
    centred: Values = values - values.mean(axis=0)
    lengths, whole = np.linalg.norm(centred, axis=1), np.linalg.norm(values, axis=1).max(initial=0)
    centred[lengths <= 1e-6 * whole] = 0
    return centred


def _unit(values: Values) -> Values:
    """Rows (N, D) of length 1: (N, D + 1). Those that are zero share a direction of their own, the last."""
    lengths = np.linalg.norm(values, axis=1)
    unit: Values = np.column_stack([values / np.where(lengths > 0, lengths, 1)[:, None], lengths == 0])
    return unit


def _cosines(values: Values) -> Values:
    unit = _unit(values)
    found: Values = np.clip(unit @ unit.T, -1, 1)
    np.fill_diagonal(found, 1)
    return found


def order(similarity: Features) -> Indices:
    """The pictures of a similarity matrix (N, N) so that neighbours are alike and groups show as squares: (N,).

    The leaves of a hierarchical clustering by average linkage, in their best order: Bar-Joseph et al. 2001, "Fast
    Optimal Leaf Ordering for Hierarchical Clustering".
    """
    count = len(similarity)
    if count < 3:
        return np.arange(count)
    from scipy.cluster.hierarchy import leaves_list, linkage

    upper = np.triu_indices(count, 1)
    distances = np.maximum(1 - similarity[upper].astype(np.float64), 0)
    found: Indices = leaves_list(linkage(distances, "average", optimal_ordering=True)).astype(np.intp)
    return found


def typical(features: Features, count: int) -> tuple[Indices, Indices]:
    """The most and the least typical pictures of a set (N, D): of each up to ``count``, the utmost first, none in both.

    Most typical is what is most like all others on average: what is most like its nearest is of the tightest group, as
    fans are in a set of scrolls. Least typical is what is least like even its 10 nearest: those fans are rare, but ten
    of a kind are not out of place. Both by the cosine of features as they are, for the mean is what is typical.
    """
    cosines = np.round(_cosines(features.astype(np.float64)), 9)  # equal pictures stay in their order
    number = len(cosines)
    most = np.argsort(-cosines.sum(axis=1), kind="stable")[: min(count, (number + 1) // 2)]
    if number < 2:
        return most, most[:0]
    neighbours = min(NEIGHBOURS, number - 1)
    nearest = np.sort(cosines, axis=1)[:, -neighbours - 1 :].sum(axis=1)  # itself, which is 1 for all, is among them
    least = np.argsort(nearest, kind="stable")
    return most, least[~np.isin(least, most)][: min(count, number // 2)]


def groups(features: Features) -> list[Indices]:
    """Divides a set (N, D) into groups of pictures that are alike: of each its members, the most central first.

    The largest group is first. By k-means on the principal components of the features' directions; of 2 to 10 groups
    it takes the number with the best silhouette (Rousseeuw 1987, "Silhouettes"). Fewer than 12 pictures, or those that
    are all the same, are one group.
    """
    points = _components(_unit(_centred(features)))
    different = len(np.unique(np.round(points, 6), axis=0))
    labels, best = np.zeros(len(points), np.intp), -np.inf
    if len(points) >= FEWEST_PICTURES:
        from sklearn.cluster import KMeans
        from sklearn.metrics import silhouette_score

        for number in range(2, min(MOST_GROUPS, different) + 1):
            with _one_thread():
                found = KMeans(number, n_init=4, random_state=0).fit_predict(points)
            score = silhouette_score(points, found)
            if score > best:
                labels, best = found, score
    members = [np.flatnonzero(labels == label) for label in range(labels.max(initial=-1) + 1)]
    return sorted((_central_first(points, each) for each in members), key=lambda each: (-len(each), each.tolist()))


def _central_first(points: Values, members: Indices) -> Indices:
    distances = np.linalg.norm(points[members] - points[members].mean(axis=0), axis=1)
    return members[np.argsort(np.round(distances, 6), kind="stable")]


def _components(values: Values, number: int = DIRECTIONS) -> Values:
    """The first principal components of (N, D), the strongest first: (N, ≤ number)."""
    centred = values - values.mean(axis=0)
    with _one_thread():
        strengths, directions = np.linalg.eigh(centred @ centred.T)  # (N,) and (N, N), for N is the smaller side
    scaled: Values = (directions * np.sqrt(np.maximum(strengths, 0)))[:, ::-1]
    return scaled[:, :number]


def _one_thread() -> AbstractContextManager[object]:
    """For loops so short that threads would mostly wait for each other: on a busy machine, a map took 18 s for 1 s."""
    from threadpoolctl import threadpool_limits

    limits: AbstractContextManager[object] = threadpool_limits(1)
    return limits


def layout(features: Features) -> Values:
    """Places for the pictures of (N, D) on a map on which neighbours are alike: (N, 2), 0…1.

    t-SNE (van der Maaten & Hinton 2008, "Visualizing Data using t-SNE") of the principal components, begun at the first
    two of them. What is far apart on it may be no less alike than what is not so far. Fewer than 5 pictures, or those
    that hardly differ, lie by those two components alone.
    """
    points = _components(_unit(_centred(features)))
    flat = np.zeros((len(points), 2))
    flat[:, : points.shape[1]] = points[:, :2]
    if len(np.unique(np.round(points, 6), axis=0)) >= 5:
        from sklearn.manifold import TSNE

        # 1,000 pictures take 1.2 s so, and 5.3 s with scikit-learn's own 1,000 steps at an angle of 0.5, for a
        # divergence of 1.17 instead of 1.19.
        tsne = TSNE(
            perplexity=min(30, (len(points) - 1) / 3),
            init=flat / flat[:, 0].std() * 1e-4,
            max_iter=500,
            angle=0.7,
            random_state=0,
        )
        with _one_thread():
            flat = tsne.fit_transform(points).astype(np.float64)
    return _within(flat)


def _within(places: Values) -> Values:
    """Places (N, 2) moved and scaled into 0…1, both axes alike, so that the longer one fills it."""
    low, high = places.min(axis=0, initial=np.inf), places.max(axis=0, initial=-np.inf)
    if not len(places) or (high - low).max() < 1e-6:
        return np.full_like(places, 0.5)
    found: Values = np.clip((places - (low + high) / 2) / (high - low).max() + 0.5, 0, 1)
    return found


def grid(positions: Values, columns: int | None = None) -> NDArray[np.int64]:
    """Cells of a grid for places (N, 2), none for two of them, each near its place: (N, 2) of column and row.

    The sum of squared ways is the least there is. There are ``columns`` columns, by default about as many as rows, and
    no more rows than are needed.
    """
    count = len(positions)
    across = columns or max(1, math.ceil(math.sqrt(count)))
    down = max(1, math.ceil(count / across))
    cells = np.stack(np.meshgrid(np.arange(across), np.arange(down)), axis=-1).reshape(-1, 2)
    from scipy.optimize import linear_sum_assignment

    centres = (cells + 0.5) / (across, down)
    ways = np.square(positions[:, None] - centres).sum(axis=2)
    _, chosen = linear_sum_assignment(ways)
    found: NDArray[np.int64] = cells[chosen]
    return found
