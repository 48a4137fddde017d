"""Passwords, one-time codes, lock-out, sessions and the audit chain on real files."""

from __future__ import annotations

import base64
import random
import string
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from pihub.errors import BadRequest, LoginRequired, TooManyAttempts
from pihub.security import totp
from pihub.security.accounts import Accounts
from pihub.security.actor import LOCAL
from pihub.security.audit import AuditLog, hidden
from pihub.security.guessable import guessable
from pihub.security.lockout import MOST, Lockout, network
from pihub.security.passwords import Passwords, require_strong
from pihub.security.seal import opened, sealed
from pihub.security.sessions import Sessions
from pihub.shared.state import LOCKOUT_BYTES
from pihub.store.audit import AuditStore
from pihub.store.keys import KeyDatabase
from pihub.store.people import People
from pihub.store.sqlite import StoreFault

PASSWORD = "a long sentence of words"
DRAWN = string.ascii_letters + string.digits + string.punctuation
KEY = b"k" * 32


class Clock:
    def __init__(self) -> None:
        self.now = 1_800_000_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def database(tmp_path: Path) -> Iterator[KeyDatabase]:
    found = KeyDatabase(tmp_path / "control.db")
    yield found
    found.close()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def accounts(database: KeyDatabase, clock: Clock) -> Accounts:
    return Accounts(People(database.database), KEY, clock, Lockout(clock))


@pytest.mark.parametrize(
    ("secret", "at", "digits"),
    [
        # RFC 6238 appendix B, SHA-1, the last six of its eight digits
        (b"12345678901234567890", 59, "287082"),
        (b"12345678901234567890", 1111111109, "081804"),
        (b"12345678901234567890", 2000000000, "279037"),
        (b"12345678901234567890", 20000000000, "353130"),
    ],
)
def test_codes_are_those_of_the_rfc(secret: bytes, at: int, digits: str) -> None:
    assert totp.code(secret, at // 30) == digits
    assert totp.verify(secret, digits, at, 0) == at // 30
    assert totp.verify(secret, digits, at + 30, 0) == at // 30
    assert totp.verify(secret, digits, at + 60, 0) is None
    assert totp.verify(secret, digits, at + 100, 0) is None
    assert totp.verify(secret, digits, at, at // 30) is None


def test_a_password_is_kept_as_argon2id_and_verified() -> None:
    passwords = Passwords()
    encoded = passwords.hash(PASSWORD)
    assert encoded.startswith("$argon2id$v=19$m=7168,t=5,p=1$") and PASSWORD not in encoded
    assert passwords.verify(encoded, PASSWORD)
    assert not passwords.verify(encoded, PASSWORD + " ")
    assert not passwords.verify("", "nobody") and not passwords.verify("junk", PASSWORD)


def resident() -> int:
    text = Path("/proc/self/status").read_text()
    return int(next(line.split()[1] for line in text.splitlines() if line.startswith("VmRSS")))


def test_a_hash_s_memory_is_given_back_whichever_thread_made_it() -> None:
    passwords, done = Passwords(), threading.Event()
    encoded = passwords.hash(PASSWORD)
    verified: list[bool] = []

    def login() -> None:
        verified.append(passwords.verify(encoded, PASSWORD))
        done.wait(30)  # as a server's thread that lives on

    before = resident()
    threads = [threading.Thread(target=login) for _ in range(6)]
    for thread in threads:
        thread.start()
    end = time.monotonic() + 30
    while len(verified) < len(threads):
        assert time.monotonic() < end
        time.sleep(0.01)
    after = resident()
    done.set()
    for thread in threads:
        thread.join(10)
    assert all(verified) and after - before < 2 * 7168


@pytest.mark.parametrize(
    "weak",
    [
        "short", "elevenChars", "x" * 257, "aaaaaaaaaaaa", "password1234", "Passw0rd-1234",
        "P@$$w0rd2026", "helloadmin99", "ann-of-the-hub", "annofthehub2026", "raspberrypi1",
        "international", "123456789012", "abcdefghijklm", "qwertyuiop123", "1q2w3e4r5t6y",
        "1qaz2wsx3edc", "zaq1xsw2cde3", "abc123abc123", "hgt4x9hgt4x9", "!!!!!!!!!!!!?",
        "kpkpzkzpkzpk",
    ],
)  # fmt: skip
def test_weak_passwords_are_refused(weak: str) -> None:
    with pytest.raises(BadRequest):
        require_strong(weak, ("ann of the hub",))


def test_sentences_and_what_dice_made_are_strong() -> None:
    """Twelve characters are enough; few of what is drawn at random is refused for its looks."""
    dice = random.Random(5)
    made = ["".join(dice.choices(DRAWN, k=12)) for _ in range(5_000)]
    assert sum(guessable(one) != "" for one in made) < 50
    for one in ("twelve chars", PASSWORD, "four words of mine", "zug&Fahrrad+7", "Ölberg im März"):
        require_strong(one, ("ann of the hub",))


def told(uri: str) -> bytes:
    """The secret as an authenticator app reads it."""
    text = uri.partition("secret=")[2].partition("&")[0]
    return base64.b32decode(text + "=" * (-len(text) % 8))


def test_a_secret_of_codes_is_sealed_and_an_older_one_becomes_so(
    accounts: Accounts, database: KeyDatabase, clock: Clock, tmp_path: Path
) -> None:
    user = accounts.create("ann", PASSWORD)
    old = totp.new_secret()
    accounts.people.set_totp(user.id, old, ())
    assert (accounts.seal_all(), accounts.seal_all()) == (1, 0)
    right = totp.code(old, int(clock.now) // 30)
    assert accounts.login("ann", PASSWORD, right, "10.0.0.1").id == user.id
    other = Accounts(People(database.database), b"x" * 32, clock, Lockout(clock))
    clock.now += 60
    with pytest.raises(LoginRequired):
        other.login("ann", PASSWORD, totp.code(old, int(clock.now) // 30), "10.0.0.1")
    database.close()
    assert old not in (tmp_path / "control.db").read_bytes()


def test_a_seal_opens_for_its_owner_and_key_alone() -> None:
    for size in (0, 1, 20, 32, 33, 100):
        plain = bytes(range(size))
        data = sealed(KEY, plain, b"ann")
        assert opened(KEY, data, b"ann") == plain
        assert data != sealed(KEY, plain, b"ann"), "each has a nonce of its own"
        assert opened(KEY, data, b"ben") is None
        assert opened(b"x" * 32, data, b"ann") is None
        for at in range(len(data)):
            changed = data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :]
            assert opened(KEY, changed, b"ann") is None
    assert opened(KEY, b"", b"ann") is None


def test_the_second_factor_is_asked_and_good_once(accounts: Accounts, clock: Clock) -> None:
    user = accounts.create("ann", PASSWORD)
    made = accounts.enrol(user.id, "hub")
    secret = told(made.uri)
    assert made.uri.startswith("otpauth://totp/")
    with pytest.raises(LoginRequired):
        accounts.login("ann", PASSWORD, "", "10.0.0.1")
    right = totp.code(secret, int(clock.now) // 30)
    with pytest.raises(LoginRequired):
        accounts.login("ann", "wrong", right, "10.0.0.1")
    assert accounts.login("ann", PASSWORD, right, "10.0.0.1").id == user.id
    with pytest.raises(LoginRequired):
        accounts.login("ann", PASSWORD, right, "10.0.0.1")
    spare = made.recovery_codes[3]
    assert accounts.login("ann", PASSWORD, spare.upper(), "10.0.0.1").id == user.id
    with pytest.raises(LoginRequired):
        accounts.login("ann", PASSWORD, spare, "10.0.0.1")
    assert accounts.get(user.id).codes_left == totp.CODES - 1


def test_a_set_up_link_is_random_and_good_for_a_day(accounts: Accounts, clock: Clock) -> None:
    links = [accounts.new_link() for _ in range(8)]
    raw = [base64.urlsafe_b64decode(link + "=" * (-len(link) % 4)) for link in links]
    assert {len(one) for one in raw} == {32} and len(set(raw)) == 8
    assert [accounts.link_is_good(link) for link in links] == [False] * 7 + [True]
    clock.now += 86_399
    assert accounts.link_is_good(links[-1])
    clock.now += 1
    assert not accounts.link_is_good(links[-1])
    with pytest.raises(LoginRequired):
        accounts.setup(links[-1], "ann", PASSWORD)
    assert accounts.people.users() == []


def test_unknown_and_wrong_take_the_same_work(
    accounts: Accounts, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Counted in argon2 itself: one hash of the same cost, whoever is named."""
    accounts.create("ann", PASSWORD)
    gone = accounts.create("gone", PASSWORD)
    accounts.people.set_disabled(gone.id, 1)
    careful = accounts.create("careful", PASSWORD)
    accounts.enrol(careful.id, "hub")
    from argon2 import _password_hasher as inside  # loaded at the first login, not before

    worked: list[tuple[bytes, bytes]] = []
    real = inside.verify_secret

    def count(encoded: bytes, secret: bytes, kind: Any) -> bool:
        worked.append((encoded.rpartition(b"$")[0].rpartition(b"$")[0], secret))
        return real(encoded, secret, kind)

    monkeypatch.setattr(inside, "verify_secret", count)
    messages = set()
    for name in ("ann", "nobody", "gone", "careful"):
        worked.clear()
        with pytest.raises(LoginRequired) as told:
            accounts.login(name, "wrong", "", f"10.{len(name)}.0.1")
        messages.add(told.value.message)
        assert worked == [(b"$argon2id$v=19$m=7168,t=5,p=1", b"wrong")], name
    assert len(messages) == 1


def test_a_lock_ends_after_fifteen_minutes(clock: Clock) -> None:
    lockout = Lockout(clock)
    for _ in range(5):
        lockout.check("ann", "10.0.0.1", known=False)
        lockout.failed("ann", "10.0.0.1")
    for account, source in (("ann", "10.0.0.1"), ("ben", "10.0.0.1"), ("ann", "10.0.0.2")):
        with pytest.raises(TooManyAttempts) as told:
            lockout.check(account, source, known=False)
        assert told.value.retry_after == 900
    lockout.check("ann", "10.0.0.2", known=True)
    lockout.check("ann", "", known=False)
    clock.now += 899
    with pytest.raises(TooManyAttempts):
        lockout.check("ann", "10.0.0.2", known=False)
    clock.now += 1
    lockout.check("ann", "10.0.0.1", known=False)


def test_of_what_a_lock_refuses_the_first_and_each_power_of_ten_is_told(clock: Clock) -> None:
    lockout = Lockout(clock)

    def locked(account: str, *sources: str) -> None:
        for source in sources:
            lockout.failed(account, source)

    def told(account: str, source: str, times: int = 1) -> list[tuple[str, int]]:
        found = [lockout.refused(account, source) for _ in range(times)]
        return [tuple(one) for one in found if one is not None]

    assert told("ann", "10.0.0.1") == [], "nothing is locked"
    locked("ann", *["10.0.0.1"] * 5)
    assert told("ann", "10.0.0.1", 150) == [("source", 1), ("source", 10), ("source", 100)]
    assert told("ben", "10.0.0.1", 850) == [("source", 1000)], "another name is no other lock"
    assert told("ann", "10.0.0.2", 9) == [("account", 1)]
    assert told("ben", "10.0.0.2") == []
    lockout.passed("ann", "10.0.0.3")
    assert not lockout._accounts._refused
    locked("ann", *(f"10.0.1.{n}" for n in range(5)))
    assert told("ann", "10.0.0.2") == [("account", 1)], "another lock"
    clock.now += 900
    locked("ann", *["10.0.0.1"] * 5)
    assert told("ann", "10.0.0.1") == [("source", 1)], "the same, a quarter of an hour later"


def test_the_counters_outlive_the_process(clock: Clock) -> None:
    class Board:
        data = b""

        def publish(self, data: bytes, /) -> int:
            self.data = data
            return 1

        def read(self) -> tuple[int, bytes]:
            return 1, self.data

    board = Board()
    for _ in range(5):
        Lockout(clock, board).failed("ann", "2001:db8::1")
    again = Lockout(clock, board)
    with pytest.raises(TooManyAttempts):
        again.check("ann", "10.0.0.1", known=False)
    with pytest.raises(TooManyAttempts):
        again.check("bob", "2001:db8::2", known=False)
    assert b"ann" not in board.data
    full = [[(bytes(12), 1000, 123456789.123)] * MOST] * 2
    assert len(msgspec.msgpack.encode(full)) < LOCKOUT_BYTES
    clock.now += 901
    Lockout(clock, board).check("ann", "2001:db8::1", known=False)


def test_many_sources_and_names_take_bounded_room(clock: Clock) -> None:
    lockout = Lockout(clock)
    for n in range(10_000):
        lockout.failed(f"user{n}", f"10.{n >> 16}.{n >> 8 & 255}.{n & 255}")
    assert len(lockout._sources._failures) == len(lockout._accounts._failures) == 4096
    for n in range(10_000):
        for _ in range(5):
            lockout.failed("", f"10.{n >> 16}.{n >> 8 & 255}.{n & 255}")
        lockout.refused("", f"10.{n >> 16}.{n >> 8 & 255}.{n & 255}")
    assert len(lockout._sources._refused) == 4096


def test_an_ipv6_home_is_one_source() -> None:
    assert network("2001:db8:1:2::1") == network("2001:db8:1:2:ffff::9") == "2001:db8:1:2::/64"
    assert network("::ffff:10.0.0.1") == "10.0.0.1"


def test_sessions_end_by_idleness_by_age_and_with_the_password(
    accounts: Accounts, clock: Clock
) -> None:
    user = accounts.create("ann", PASSWORD)
    sessions = Sessions(accounts, KEY, clock, idle=600, length=3600)
    made = sessions.begin(user, "10.0.0.1", "agent")
    assert sessions.find(made.cookie, "10.0.0.1") is not None
    assert sessions.find(made.cookie[:-1], "10.0.0.1") is None
    for _ in range(6):
        clock.now += 590
        assert sessions.find(made.cookie, "10.0.0.1") is not None
    clock.now += 100
    assert sessions.find(made.cookie, "10.0.0.1") is None
    made = sessions.begin(user, "10.0.0.1", "agent")
    clock.now += 600
    assert sessions.find(made.cookie, "10.0.0.1") is None
    made = sessions.begin(user, "10.0.0.1", "agent")
    accounts.set_password(user.id, PASSWORD + "!")
    assert sessions.find(made.cookie, "10.0.0.1") is None


def test_a_session_s_cookie_has_256_random_bits(accounts: Accounts, clock: Clock) -> None:
    user = accounts.create("ann", PASSWORD)
    sessions = Sessions(accounts, KEY, clock)
    made = [sessions.begin(user, "10.0.0.1", "agent").cookie for _ in range(8)]
    raw = [base64.urlsafe_b64decode(cookie + "=" * (-len(cookie) % 4)) for cookie in made]
    assert {len(one) for one in raw} == {32}
    # No byte is the same in all of them but by chance (once in 256**7).
    assert all(len({one[at] for one in raw}) > 1 for at in range(32))


def test_the_database_holds_no_secret_of_a_login(
    accounts: Accounts, database: KeyDatabase, tmp_path: Path
) -> None:
    user = accounts.create("ann", PASSWORD)
    made = Sessions(accounts, KEY, time.time).begin(user, "10.0.0.1", "agent")
    link = accounts.new_link()
    enrolled = accounts.enrol(user.id, "hub")
    codes = [*enrolled.recovery_codes, enrolled.uri.partition("secret=")[2].partition("&")[0]]
    database.close()
    found = b"".join(path.read_bytes() for path in tmp_path.iterdir())
    for secret in (PASSWORD, made.cookie, link, *codes):
        assert secret.encode() not in found
    assert told(enrolled.uri) not in found


@pytest.fixture
def log(database: KeyDatabase) -> AuditLog:
    found = AuditLog(AuditStore(database.database), KEY)
    for n in range(5):
        found.write(LOCAL, "test", f"/x/{n}", "200", {"n": n}, {"n": n + 1})
    return found


def test_the_chain_is_whole_and_rows_cannot_be_changed(
    log: AuditLog, database: KeyDatabase
) -> None:
    verdict = log.verify()
    assert (verdict.rows, verdict.broken) == (5, 0)
    for sql in ("UPDATE audit SET actor = 'x'", "DELETE FROM audit WHERE seq = 5"):
        with pytest.raises(StoreFault), database.database.write() as connection:
            connection.execute(sql)
    assert log.verify() == verdict and log.holds(verdict.head)


@pytest.mark.parametrize(
    ("sql", "broken"),
    [
        ("UPDATE audit SET after = '{}' WHERE seq = 3", 3),
        ("UPDATE audit SET at = at + 1 WHERE seq = 1", 1),
        ("DELETE FROM audit WHERE seq = 2", 3),
        ("UPDATE audit SET hash = zeroblob(32) WHERE seq = 5", 5),
    ],
)
def test_whoever_changes_the_file_is_found_out(
    log: AuditLog, database: KeyDatabase, sql: str, broken: int
) -> None:
    with database.database.write() as connection:
        connection.execute("DROP TRIGGER audit_kept; DROP TRIGGER audit_fixed;" + sql)
    assert log.verify().broken == broken


def test_a_row_of_another_past_does_not_fit(
    log: AuditLog, database: KeyDatabase, tmp_path: Path
) -> None:
    """Rows that the hub wrote itself, with its key, after an older copy was put back."""
    with database.database.write() as connection:
        connection.execute("DROP TRIGGER audit_kept; DROP TRIGGER audit_fixed")
    row = database.database.read("SELECT * FROM audit WHERE seq = 4")[0]
    with database.database.write() as connection:
        connection.execute("DELETE FROM audit WHERE seq > 3")
    for n in (7, 8):
        log.write(LOCAL, "test", f"/other/{n}", "200", None, None)
    assert (log.verify().rows, log.verify().broken) == (5, 0)
    with database.database.write() as connection:
        connection.execute("DELETE FROM audit WHERE seq = 4")
        connection.execute(f"INSERT INTO audit VALUES ({', '.join('?' * len(row))})", row)
    assert log.verify().broken == 5


def test_an_end_that_was_cut_off_is_found_by_an_earlier_head(
    log: AuditLog, database: KeyDatabase
) -> None:
    head = log.verify().head
    with database.database.write() as connection:
        connection.execute("DROP TRIGGER audit_kept; DELETE FROM audit WHERE seq > 3")
    assert log.verify().broken == 0
    assert not log.holds(head)
    log.write(LOCAL, "a", "b", "c")
    log.write(LOCAL, "a", "b", "c")
    assert not log.holds(head)


def test_secrets_are_hidden_by_name() -> None:
    value = {"token": "t", "a": [{"new_password": "p", "name": "n"}], "secret": None}
    assert hidden(value) == {
        "token": "…", "a": [{"new_password": "…", "name": "n"}], "secret": None,
    }  # fmt: skip
