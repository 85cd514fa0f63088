"""Sound keeps its channels, whatever their order, and never ends the process."""

import gc
from pathlib import Path
from typing import Any

import av
import pytest

from fixtures.videos import HEIGHT, WIDTH, audio_packets, heard, scene, write_pcm, write_video
from impasto.inference.video.mux import mux
from impasto.inference.video.track_choice import choose_tracks


def remuxed(video: Path, *, damaged: int = 0) -> Path:
    """Write what is kept of a video beside its frames; so many packets are left out."""
    out = video.with_name("out.mp4")
    assert mux(out, video, [], 0, WIDTH, HEIGHT, sideways=False, tracks=choose_tracks(video)) == damaged
    return out


def names(layout: str) -> list[str]:
    return [channel.name for channel in av.AudioLayout(layout).channels]


UNNAMED = ("mono", "stereo", "3.0", "4.0", "5.0", "5.1", "7.1")


@pytest.mark.parametrize(
    ("suffix", "layout"),
    [*((".mkv", each) for each in UNNAMED), *((".mov", each) for each in (*UNNAMED, "2.1", "quad"))],
)
def test_encoded_sound_keeps_its_layout(suffix: str, layout: str, tmp_path: Path) -> None:
    """Matroska does not name the channels of PCM: they are taken for the usual ones."""
    codec, tones = heard(remuxed(write_pcm(tmp_path / f"video{suffix}", layout)))
    expected = {name: 200 * number for number, name in enumerate(names(layout), 1)}
    assert codec == "aac" and [*tones] == [*expected]
    assert {k: v for k, v in tones.items() if k != "LFE"} == {k: v for k, v in expected.items() if k != "LFE"}


@pytest.mark.parametrize(
    ("layout", "kept"), [("5.1(side)", "5.1"), ("6.1", "7.1"), ("7.1(wide)", "7.1"), ("5.1.2", "7.1"), ("3.1", "5.1")]
)
def test_a_layout_that_aac_does_not_name_is_mixed_to_one_that_it_does(layout: str, kept: str, tmp_path: Path) -> None:
    _, tones = heard(remuxed(write_pcm(tmp_path / "video.mov", layout)))
    assert [*tones] == names(kept) and tones["FC"] == 600
    assert tones["FL"] in (200, 1400) and tones["FR"] in (400, 1600)  # with FLC and FRC of 7.1(wide)


@pytest.mark.parametrize("order", ["FL+FR+FC+LFE+SL+SR+BL+BR", "FC+FL+FR+SL+SR+LFE+BC", "FR+FL"])
def test_channels_in_their_own_order_come_to_their_places(order: str, tmp_path: Path) -> None:
    """QuickTime files name each channel. PyAV 18 frees such a layout twice, which ends the process."""
    _, tones = heard(remuxed(write_pcm(tmp_path / "video.mov", order)))
    gc.collect()
    for number, name in enumerate(order.split("+"), 1):
        assert tones.get(name, 200 * number) == 200 * number or name in ("LFE", "BC")


@pytest.mark.parametrize("layout", ["hexadecagonal", "FL+FR+TFC+WL+WR", "22.2"])
def test_more_channels_than_aac_holds_are_mixed_or_said_to_be_lost(layout: str, tmp_path: Path) -> None:
    video = write_pcm(tmp_path / "video.mov", layout)
    lost = choose_tracks(video).lost
    assert lost == ("sound track 1 (pcm_s16le)",) or len(heard(remuxed(video))[1]) in (2, 5, 8)


def test_mp3_that_mp4_does_not_hold_is_encoded(tmp_path: Path) -> None:
    with av.open(tmp_path / "video.mkv", "w") as video:
        stream = video.add_stream("libmp3lame", 8_000, layout="mono")
        frame = av.AudioFrame("s16p", "mono", 8_000)
        frame.rate, frame.pts = 8_000, 0
        pictures = video.add_stream("mpeg4", 25)
        pictures.height, pictures.width = HEIGHT, WIDTH
        packets = [*stream.encode(frame), *stream.encode(None)]
        packets += [*pictures.encode(av.VideoFrame(WIDTH, HEIGHT, "yuv420p")), *pictures.encode(None)]
        video.mux(packets)
    with av.open(remuxed(tmp_path / "video.mkv")) as out:
        assert out.streams.audio[0].codec_context.name == "aac" and out.streams.audio[0].rate == 8_000


def test_sound_that_changes_its_format_is_encoded_throughout(tmp_path: Path) -> None:
    for name, layout in (("one", "mono"), ("two", "stereo")):
        video = write_pcm(tmp_path / "video.mov", layout)
        with av.open(video) as source, av.open(tmp_path / f"{name}.ts", "w") as out:
            target = out.add_stream("mp2", 48_000, layout=layout)
            pictures = out.add_stream_from_template(source.streams.video[0])
            for packet in source.demux():
                if packet.stream.type == "audio":
                    frames: Any = packet.decode()
                    out.mux([part for frame in frames for part in target.encode(frame)])
                elif packet.size:
                    packet.stream = pictures
                    out.mux(packet)
    both = tmp_path / "both.ts"
    both.write_bytes((tmp_path / "one.ts").read_bytes() + (tmp_path / "two.ts").read_bytes())
    with av.open(remuxed(both)) as out:
        samples = sum(frame.samples for frame in out.decode(audio=0))
    assert samples > 1.4 * 0.4 * 48_000


def test_sound_that_is_copied_stays_as_it_is(tmp_path: Path) -> None:
    video = write_video(tmp_path / "video.mkv", [scene()] * 3, sound="aac")
    assert audio_packets(remuxed(video)) == audio_packets(video)


def test_samples_that_are_no_numbers_lose_only_their_packet(tmp_path: Path) -> None:
    video = write_video(tmp_path / "video.mkv", [scene()] * 3, sound="pcm_f32le")
    packet = audio_packets(video)[30]
    video.write_bytes(video.read_bytes().replace(packet, b"\xff" * len(packet)))
    with av.open(remuxed(video, damaged=2)) as out:
        assert sum(frame.samples for frame in out.decode(audio=0)) > 36 * 1024


def test_sound_that_begins_late_is_encoded_as_stereo(tmp_path: Path) -> None:
    """Its channels are not known when the video is opened."""
    with av.open(tmp_path / "video.ts", "w") as video:
        pictures = video.add_stream("mpeg4", 25)
        pictures.height, pictures.width = HEIGHT, WIDTH
        video.add_stream("mp2", 48_000, layout="mono")
        video.start_encoding()
        video.mux([*pictures.encode(av.VideoFrame(WIDTH, HEIGHT, "yuv420p")), *pictures.encode(None)])
    way: Any = choose_tracks(tmp_path / "video.ts").openers[1]
    assert way.keywords["layout"] == "stereo"
