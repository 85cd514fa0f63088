"""Limits of the studio: what one request, one job and everything together may take."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Limits:
    """Limits of a server and its workers.

    Attributes:
        upload_bytes: largest uploaded file.
        stored_bytes: uploads and results together; runs, styles and working files are not counted.
        stored_files: number of uploads and results.
        json_bytes: largest JSON body.
        idle_seconds: longest pause of a client within an upload.
        images: images of one job, those in its archives included.
        queued: jobs that wait in each lane.
        stalled_seconds: time in which a job, except a training, has to get further.
        worker_bytes: resident memory of a worker process; None for three quarters of the machine's.
        attempts: workers that a job may take down with it before it fails.
        requests: requests of a client at once, beyond which ``requests_per_second`` are answered.
        requests_per_second: sustained rate of one client.
        connections: connections at once.
        keep_days: days after which a file that is no favourite is deleted; None keeps all.
    """

    upload_bytes: int = 4_000_000_000
    stored_bytes: int = 50_000_000_000
    stored_files: int = 200_000
    json_bytes: int = 1_000_000
    idle_seconds: float = 30.0
    images: int = 10_000
    queued: int = 1_000
    stalled_seconds: float = 3600.0
    worker_bytes: int | None = None
    attempts: int = 3
    requests: int = 400
    requests_per_second: float = 100.0
    connections: int = 500
    keep_days: float | None = None
