"""Similarity, clusters, outliers and layouts of up to about a thousand images.

Images are feature vectors (N, D) of a network, or pixels of thumbnails. All functions are deterministic.
"""

import math
from contextlib import AbstractContextManager

import numpy as np
from numpy.typing import NDArray

from impasto.config.types import Features, Values
from impasto.errors import require

#: Side of the thumbnails for comparison by pixels.
THUMBNAIL = 16
#: Number of nearest neighbours that determine outliers.
NEIGHBOURS = 10
#: Principal components for clustering and layout; the others are mostly noise.
COMPONENTS = 50
#: Maximum number of clusters, and minimum number of images to cluster.
MAX_CLUSTERS, MIN_IMAGES = 10, 12

Indices = NDArray[np.intp]


def pixel_vectors(pictures: NDArray[np.uint8]) -> Features:
    """Return images (N, S, S, 3), S ≥ 16, as 16×16 colour thumbnails minus their mean: (N, 768).

    The cosine of two is the correlation of their pixels, independent of brightness.
    """
    count, side = pictures.shape[:2]
    edges = np.linspace(0, side, THUMBNAIL + 1).astype(np.intp)
    found = np.empty((count, THUMBNAIL, THUMBNAIL, 3), np.float32)
    for picture, thumbnail in zip(pictures, found, strict=True):  # one at a time: all of them as floats take gigabytes
        sums = np.add.reduceat(np.add.reduceat(picture, edges[:-1], 0, np.float32), edges[:-1], 1)
        thumbnail[:] = sums / (np.diff(edges)[:, None, None] * np.diff(edges)[:, None])
    vectors = found.reshape(count, -1)
    vectors -= vectors.mean(axis=1, keepdims=True)
    return vectors


def similarity(features: Features) -> Features:
    """Return the cosine similarity of centred features (N, D): (N, N), −1…1.

    Pooled network features have a large common component: two of Monet's paintings have a cosine of 0.48 on average.
    After centring, 0 is the average similarity of the data set. Features equal to the mean are similar to each other
    only.
    """
    found: Features = _cosines(_centred(features)).astype(np.float32)
    return found


def mean_similarity(features: Features) -> float:
    """Return the mean cosine similarity of two images, −1…1, from features (N, D); 1 for a single image.

    The features are not centred, since the result would be just below 0 for any data set. It compares data sets through
    the same network.
    """
    count = len(features)
    if count < 2:
        return 1.0
    cosines = _cosines(features.astype(np.float64))
    return float((cosines.sum() - np.trace(cosines)) / (count * (count - 1)))


def _centred(features: Features) -> Values:
    """Return features minus their mean, with rounding residues of the mean itself set to 0."""
    values = features.astype(np.float64)
    centred: Values = values - values.mean(axis=0)
    lengths, whole = np.linalg.norm(centred, axis=1), np.linalg.norm(values, axis=1).max(initial=0)
    centred[lengths <= 1e-6 * whole] = 0
    return centred


def _unit(values: Values) -> Values:
    """Return rows (N, D) normalised to length 1: (N, D + 1). Zero rows share the last dimension."""
    lengths = np.linalg.norm(values, axis=1)
    unit: Values = np.column_stack([values / np.where(lengths > 0, lengths, 1)[:, None], lengths == 0])
    return unit


def _cosines(values: Values) -> Values:
    unit = _unit(values)
    found: Values = np.clip(unit @ unit.T, -1, 1)
    np.fill_diagonal(found, 1)
    return found


def cluster_order(similarity: Features) -> Indices:
    """Return an order (N,) of a similarity matrix (N, N) in which neighbours are similar and clusters are blocks.

    Optimal leaf order of hierarchical clustering with average linkage: Bar-Joseph et al. 2001, "Fast
    Optimal Leaf Ordering for Hierarchical Clustering".
    """
    count = len(similarity)
    if count < 3:
        return np.arange(count)
    hierarchy = require("scipy.cluster.hierarchy", extra="train")

    upper = np.triu_indices(count, 1)
    distances = np.maximum(1 - similarity[upper].astype(np.float64), 0)
    found: Indices = hierarchy.leaves_list(hierarchy.linkage(distances, "average", optimal_ordering=True)).astype(
        np.intp
    )
    return found


def typical_and_outliers(features: Features, count: int) -> tuple[Indices, Indices]:
    """Return the indices of the most typical images and of the outliers of features (N, D), up to ``count`` of each.

    The two are disjoint, the most extreme first. Typical images have the largest mean cosine with all others;
    outliers the smallest mean cosine with their 10 nearest neighbours, so that a small cluster is not an outlier. The
    features are not centred, as their mean is what is typical.
    """
    cosines = np.round(_cosines(features.astype(np.float64)), 9)  # equal images keep their order
    number = len(cosines)
    most = np.argsort(-cosines.sum(axis=1), kind="stable")[: min(count, (number + 1) // 2)]
    if number < 2:
        return most, most[:0]
    neighbours = min(NEIGHBOURS, number - 1)
    nearest = np.sort(cosines, axis=1)[:, -neighbours - 1 :].sum(axis=1)  # includes itself, 1 for all
    least = np.argsort(nearest, kind="stable")
    return most, least[~np.isin(least, most)][: min(count, number // 2)]


def clusters(features: Features) -> list[Indices]:
    """Cluster features (N, D) and return the members of each cluster, most central first; largest cluster first.

    K-means on principal components of the normalised features, with 2 to 10 clusters by the best silhouette (Rousseeuw
    1987, "Silhouettes"). Fewer than 12 images, or equal ones, are one cluster.
    """
    points = _components(_unit(_centred(features)))
    different = len(np.unique(np.round(points, 6), axis=0))
    labels, best = np.zeros(len(points), np.intp), -np.inf
    if len(points) >= MIN_IMAGES:
        kmeans = require("sklearn.cluster", extra="train").KMeans
        silhouette_score = require("sklearn.metrics", extra="train").silhouette_score

        for number in range(2, min(MAX_CLUSTERS, different) + 1):
            with _one_thread():
                found = kmeans(number, n_init=4, random_state=0).fit_predict(points)
            score = silhouette_score(points, found)
            if score > best:
                labels, best = found, score
    members = [np.flatnonzero(labels == label) for label in range(labels.max(initial=-1) + 1)]
    return sorted((_central_first(points, each) for each in members), key=lambda each: (-len(each), each.tolist()))


def _central_first(points: Values, members: Indices) -> Indices:
    distances = np.linalg.norm(points[members] - points[members].mean(axis=0), axis=1)
    return members[np.argsort(np.round(distances, 6), kind="stable")]


def _components(values: Values, number: int = COMPONENTS) -> Values:
    """Return the first principal components of (N, D), strongest first: (N, ≤ number)."""
    centred = values - values.mean(axis=0)
    with _one_thread():
        strengths, directions = np.linalg.eigh(centred @ centred.T)  # (N,) and (N, N); N is usually below D
    scaled: Values = (directions * np.sqrt(np.maximum(strengths, 0)))[:, ::-1]
    return scaled[:, :number]


def _one_thread() -> AbstractContextManager[object]:
    """Limit BLAS to one thread: on a busy machine, a layout with many takes 18 s instead of 1 s."""
    threadpoolctl = require("threadpoolctl", extra="train")
    limits: AbstractContextManager[object] = threadpoolctl.threadpool_limits(1)
    return limits


def tsne_layout(features: Features) -> Values:
    """Return a 2-D layout of features (N, D) in which neighbours are similar: (N, 2), 0…1.

    t-SNE (van der Maaten & Hinton 2008, "Visualizing Data using t-SNE") of the principal components, initialised with
    the first two. Only neighbourhoods are meaningful, not distances. Fewer than 5 distinct images are placed by those
    two components.
    """
    points = _components(_unit(_centred(features)))
    flat = np.zeros((len(points), 2))
    flat[:, : points.shape[1]] = points[:, :2]
    if len(np.unique(np.round(points, 6), axis=0)) >= 5:
        manifold = require("sklearn.manifold", extra="train")

        # 1,000 images take 1.2 s with a divergence of 1.19; scikit-learn's defaults take 5.3 s for 1.17.
        tsne = manifold.TSNE(
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
    """Translate and scale positions (N, 2) into 0…1, with the same scale for both axes."""
    low, high = places.min(axis=0, initial=np.inf), places.max(axis=0, initial=-np.inf)
    if not len(places) or (high - low).max() < 1e-6:
        return np.full_like(places, 0.5)
    found: Values = np.clip((places - (low + high) / 2) / (high - low).max() + 0.5, 0, 1)
    return found


def assign_cells(positions: Values, columns: int | None = None) -> NDArray[np.int64]:
    """Assign positions (N, 2) to distinct grid cells, (N, 2) of column and row, with least squared distances.

    The grid has ``columns`` columns, by default about as many as rows, and as few rows as possible.
    """
    count = len(positions)
    across = columns or max(1, math.ceil(math.sqrt(count)))
    down = max(1, math.ceil(count / across))
    cells = np.stack(np.meshgrid(np.arange(across), np.arange(down)), axis=-1).reshape(-1, 2)
    centres = (cells + 0.5) / (across, down)
    distances = np.square(positions[:, None] - centres).sum(axis=2)
    _, chosen = require("scipy.optimize", extra="train").linear_sum_assignment(distances)
    found: NDArray[np.int64] = cells[chosen]
    return found
