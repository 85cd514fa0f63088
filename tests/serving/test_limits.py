"""Limits fit each other."""

from impasto.serving.limits import Limits


def test_the_largest_job_fits_into_one_request_and_the_largest_file_into_the_studio() -> None:
    limits = Limits()
    assert limits.images * len('"0123456789abcdef0123456789abcdef", ') <= limits.json_bytes
    assert limits.upload_bytes <= limits.stored_bytes
    assert limits.images <= limits.stored_files
    assert limits.keep_days is None, "nothing is deleted unless the user says so"
