"""Every spelling of an address is the address; names and ports of one's own network pass."""

from __future__ import annotations

import pytest

from pihub._core.scanner import Scanner

INSIDE = """
http://2130706434/
http://0x7f000002/
http://0x7f.2/
http://017700000002/
http://127.2/
http://127.0.2/
http://0/
http://0:8080/
http://383.0.0.2/
http://①②⑦.⓪.⓪.②/
http://⑩.0.0.2/
http://⒈.2/
http://𝟙𝟚𝟟.𝟘.𝟘.𝟚/
http://169。254。1。2/
http://127｡0｡0｡2/
http://[::]/
http://[::1]:81/
http://[::ffff:127.0.0.2]/
http://[::ffff:7f00:2]/
http://[0:0:0:0:0:ffff:127.0.0.2]/
http://[64:ff9b::7f00:2]/
http://[2002:7f00:2::]/
http://[fe80::2%25eth0]/
http://[fd00:ec2::254]/x
http://169.254.170.2/v3
http://100.100.100.200/x
http://168.63.129.16/x
http://ip6-localhost/
http://x.localhost/
http://kubernetes.default.svc/
http://a.b.svc.cluster.local/
http://metadata/x
http://metadata.tencentyun.com/x
http://a.test@c.test@e.test/
http://a.test &@127.0.0.2# @b.test/
http://a.test\\@b.test/
http://me:pw@2130706434/
https://x.oastify.com/
imap://①⑥⑨.②⑤④.①.②
http://localhost:22
http://127.0.0.1:6379
jdbc:mysql://a.test/b?autoDeserialize=true
jdbc:h2:mem:x;init=runscript from 'http://a.test/b.sql'
compress.zlib://x
rmi://a.test/b
data:;base64,PGI+
""".strip().splitlines()

HONEST = """
http://localhost/
http://localhost:11434/api
http://127.0.0.1:8080/x
http://192.168.1.21/
http://10.0.0.8:3000/
http://[2001:db8::2]/
http://[fd12:3456::2]:8080/
http://2.example.com/
http://example.com/2
https://user@host.example/
https://first.last@code.example.com/x
http://host.docker.internal:11434
rtsp://192.168.1.9/stream
mqtt://broker.lan:1883
redis://cache:6379/0
jdbc:postgresql://db/x?user=y
https://example.com/@user
http://metadata.example.org/
https://localhost.example.com/
http://8.8.8.8/
ssh://git@host/x
http://0xbeef.example/
http://cafe.example/
http://www。example。com/
http://my-nip.io.example/
""".strip().splitlines()


@pytest.mark.parametrize("url", INSIDE)
def test_spellings_of_the_inside_are_found(scanner: Scanner, url: str) -> None:
    found = scanner.value(url.encode(), "query")
    assert found is not None
    assert found[0] >= 60, found


@pytest.mark.parametrize("url", HONEST)
def test_own_machines_and_foreign_names_pass(scanner: Scanner, url: str) -> None:
    found = scanner.value(url.encode(), "query")
    assert found is None or found[0] < 45, found


ODD = ["[", "[:", "[:::]", "[1:2:3:4:5:6:7:8:9]", "1.2.3.4.5", "0x", "." * 600, "9" * 600]


@pytest.mark.parametrize("host", ODD)
def test_no_address_is_too_odd_to_be_read(scanner: Scanner, host: str) -> None:
    found = scanner.value(f"http://{host}/".encode(), "query")
    assert found is None or found[0] <= 100
