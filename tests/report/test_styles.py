from impasto.report.styles import describe
from impasto.report.words import SPACE
from impasto.scores import Content, Value
from test_style import style
from translators import translator


def test_a_card_says_what_the_style_does_and_where_it_comes_from() -> None:
    content = Content(pairs=50, size=256, values={"SSIM": Value(value=0.71, error=0.01)})
    told = {"content": content, "scores": style().card.scores, "lattice": Value(value=0.4, error=0.1, floor=0.22)}
    card = translator().card.model_copy(update=told)
    lines = describe(card, 4_200_000)
    assert "photos into paintings" in lines[0] and "270 paintings and 6,328 photos" in lines[0]
    assert "tiny" in lines[0] and "1.5 hours" in lines[0] and "16×16" in lines[0]
    assert lines[1].startswith("KID[invented] 0.25")
    assert "SSIM 0.71" in lines[2] and "50 photos" in lines[2]
    assert lines[3] == f"lattice 0.40{SPACE}±{SPACE}0.10 dB, where the paintings have 0.220"
    assert lines[4] == "CC0-1.0, 4.2 MB"


def test_what_a_card_does_not_know_is_not_said() -> None:
    lines = describe(style().card)
    assert "noise into paintings" in lines[0] and "300 pictures" in lines[0] and len(lines) == 2
    assert all(lines)
