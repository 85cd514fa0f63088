"""Start the studio: what is refused in one line, and the printed address."""

import socket
from pathlib import Path

import pytest

from impasto.errors import ImpastoError
from impasto.files import exclusive
from impasto.serving.launch import is_loopback, listen, page_address, studio


@pytest.mark.parametrize("host", ["127.0.0.1", "127.8.8.8", "::1", "localhost"])
def test_only_this_machine_reaches_loopback(host: str) -> None:
    assert is_loopback(host)


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "", "192.168.1.5", "localhost.example", "127.1", "fe80::1"])
def test_others_may_reach_anything_else(host: str) -> None:
    assert not is_loopback(host)


def test_the_address_is_one_that_a_browser_opens() -> None:
    assert page_address("127.0.0.1", 80, None) == "http://127.0.0.1:80/"
    assert page_address("::1", 80, "t") == "http://[::1]:80/?token=t"
    for everywhere in ("0.0.0.0", "::", ""):
        assert page_address(everywhere, 80, None) == f"http://{socket.gethostname()}:80/"


def test_a_taken_port_and_an_impossible_host_are_one_line(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(ImpastoError, match=rf"127.0.0.1:{port} \(Address already in use\): choose another --port"):
            studio(tmp_path / "studio", port=port)
    for host in ("no.such.host.invalid", "203.0.113.1", "a" * 70, "é" * 300):
        with pytest.raises(ImpastoError, match=r"Cannot listen on .*choose another"):
            studio(tmp_path / "studio", host=host, port=0)


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
def test_answers_are_not_delayed_to_be_sent_together(host: str) -> None:
    with listen(host, 0) as listener:
        assert listener.proto == socket.IPPROTO_TCP, "for which asyncio sets TCP_NODELAY"


def test_a_folder_in_use_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "studio").mkdir()
    with (
        exclusive(tmp_path / "studio" / "server.lock", "busy"),
        pytest.raises(ImpastoError, match="Another studio serves"),
    ):
        studio(tmp_path / "studio", port=0)


@pytest.mark.parametrize(
    "token", ["short", "with spaces and more", "x" * 300, "tökens-of-letters", 'a";b' * 9, "a\r\nb" * 9]
)
def test_a_token_that_fits_in_no_address_or_is_short_is_refused(tmp_path: Path, token: str) -> None:
    with pytest.raises(ImpastoError, match="16 to 200 letters"):
        studio(tmp_path / "studio", port=0, token=token)
    assert not (tmp_path / "studio" / "studio.db").exists()
