"""Styles and recipes."""

import httpx
import pytest

from fixtures.http_studio import HttpStudio
from impasto.config import bundled_recipes


def test_styles_are_listed_downloaded_and_deleted(studio: HttpStudio, client: httpx.Client) -> None:
    names = [style["name"] for style in client.get("/v1/styles").json()["styles"]]
    assert {"monet", "negative", "noise"} <= set(names)
    file = client.get("/v1/styles/negative/file")
    assert file.content == (studio.library.styles / "negative.safetensors").read_bytes()
    assert file.headers["content-disposition"].startswith("attachment")
    assert client.get("/v1/styles/negative/example").headers["content-type"] == "image/jpeg"
    assert client.delete("/v1/styles/noise").status_code == 204
    for path in ("/v1/styles/noise/file", "/v1/styles/noise/example"):
        assert client.get(path).status_code == 404
    assert client.delete("/v1/styles/monet").status_code == 409, "it is bundled"


@pytest.mark.parametrize("name", ["..%2f..%2fstudio.db", "..", "%2e%2e", ".hidden", "a%00", "x" * 200])
def test_a_name_of_a_style_is_never_a_path(client: httpx.Client, name: str) -> None:
    for end in ("file", "example"):
        assert client.get(f"/v1/styles/{name}/{end}").status_code in (404, 422)


def test_recipes_are_listed(client: httpx.Client) -> None:
    found = client.get("/v1/recipes").json()["recipes"]
    assert [recipe["name"] for recipe in found] == list(bundled_recipes())
    assert {recipe["translates"] for recipe in found} == {True, False}
