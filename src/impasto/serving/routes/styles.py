"""Styles and recipes."""

from fastapi import APIRouter, Response

from impasto.config import bundled_recipes
from impasto.config.recipe import Recipe
from impasto.serving.library import NotFoundError
from impasto.serving.routes import InStudio
from impasto.serving.routes.downloads import FILE, Download
from impasto.serving.shelf import example_file, remove_style, style_file, styles
from impasto.serving.tasks.base import StyleName
from impasto.serving.views import RecipesView, RecipeView, StylesView, StyleView

router = APIRouter(prefix="/v1", tags=["styles"])


@router.get("/styles", summary="List styles")
def list_styles(studio: InStudio) -> StylesView:
    return StylesView(styles=[StyleView.of(style, studio.library) for style in styles(studio.library)])


@router.get("/styles/{style}/example", response_class=Response, responses=FILE, summary="An example image of a style")
def example(studio: InStudio, style: StyleName) -> Download:
    """A JPEG; it may not be made yet."""
    style_file(studio.library, style)
    path = example_file(studio.library, style)
    if not path.is_file():
        raise NotFoundError(f"The example of {style} is not made yet.")
    return Download(path, "image/jpeg")


@router.get("/styles/{style}/file", response_class=Response, responses=FILE, summary="Download a style")
def download(studio: InStudio, style: StyleName) -> Download:
    """A safetensors file for `impasto paint --style` and `impasto generate`."""
    path = style_file(studio.library, style)
    return Download(path, "application/octet-stream", name=f"{style}.safetensors", attachment=True)


@router.delete("/styles/{style}", status_code=204, summary="Delete a style that is not bundled")
def delete(studio: InStudio, style: StyleName) -> Response:
    remove_style(studio.library, style)
    return Response(status_code=204)


@router.get("/recipes", summary="List recipes")
def recipes() -> RecipesView:
    loaded = [Recipe.load(name) for name in bundled_recipes()]
    return RecipesView(
        recipes=[
            RecipeView(
                name=recipe.name,
                summary=f"{recipe.method}, {recipe.size}×{recipe.size}",
                translates=recipe.translates,
                size=recipe.size,
            )
            for recipe in loaded
        ]
    )
