"""The shape of pihub.toml: one frozen struct a section, defaults included.

Sizes are strings such as "64MB" in the file and bytes here (`Size`); times are
seconds. Each field's meaning stands in docs/settings.md; a test compares the two.
"""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec

from pihub.domain.prompt_mode import PromptMode
from pihub.settings.access import Access
from pihub.settings.alerts import Alerts
from pihub.settings.egress import Egress
from pihub.settings.jobs import Jobs
from pihub.settings.limits import Limits
from pihub.settings.machine import MachineSection
from pihub.settings.money import Energy, Money
from pihub.settings.offline import Offline
from pihub.settings.ollama import OllamaManagement
from pihub.settings.otel import Otel
from pihub.settings.paging import Paging
from pihub.settings.prompts import Prompts
from pihub.settings.routing import ModelRouting, Queue, Routing
from pihub.settings.scanner import Scanner
from pihub.settings.section import Positive, Seconds, Section
from pihub.settings.semantic import Semantic
from pihub.settings.streams import Streams
from pihub.settings.webhooks import Action, Subscriber, Webhook


class Server(Section, frozen=True):
    listen: str = "127.0.0.1:8080"
    engine: Literal["meinheld", "gthread"] = "meinheld"
    workers: Literal["auto"] | Positive = "auto"
    min_workers: Annotated[int, msgspec.Meta(ge=0, le=64)] = 0
    max_workers: Annotated[int, msgspec.Meta(ge=0, le=64)] = 0
    """With `workers = "auto"`: the number follows the load between these; 0: it is fixed."""
    scale_up_after: Seconds = 3.0
    scale_down_after: Seconds = 30.0
    threads: Positive = 32
    """Per worker, for the gthread engine only."""
    keepalive: Seconds = 75.0
    graceful_timeout: Seconds = 30.0
    connections: Positive = 1024
    """Open sockets per worker (clients and upstreams)."""
    run_dir: str = ""
    """Sockets and pid file; empty: `run` beside the database."""
    public_url: str = ""
    cors_origins: list[str] = msgspec.field(default_factory=list)
    """Web origins whose pages may call the APIs; empty: none."""
    cors_production: list[str] = msgspec.field(default_factory=list)
    """Instead of these with `access.mode = "production"`."""
    cors_credentials: bool = False
    """Whether those pages may send cookies and the like."""
    tls_cert: str = ""
    """PEM file of the certificate and its chain; gthread only."""
    tls_key: str = ""
    demo: bool = False
    """Simulated upstreams while the file names none."""
    log_level: Literal["debug", "info", "warning", "error"] = "info"


class Cache(Section, frozen=True):
    size: str = "64MB"
    ttl: Seconds = 86400.0
    """How long a deterministic chat answer is kept."""
    stale_if_error: Annotated[float, msgspec.Meta(ge=0, le=2592000)] = 0.0
    """Seconds after that for which it is still given if every upstream of the chain fails."""
    stale_while_revalidate: Annotated[float, msgspec.Meta(ge=0, le=2592000)] = 0.0
    """Seconds after `ttl` for which it is given at once, while one request fetches a new one."""
    negative_ttl: Annotated[float, msgspec.Meta(ge=0, le=300)] = 0.0
    """Seconds for which an upstream's refusal of a chat is told again without asking."""
    max_value: str = "1MB"


class Store(Section, frozen=True):
    url: str = "sqlite:///var/lib/pihub/pihub.db"
    retention_days: Positive = 30
    """Of single requests and minute roll-ups; hour roll-ups are kept ten times as long."""
    flush: Seconds = 1.0
    """How long request records wait for a batch, at most."""


class Timers(Section, frozen=True):
    connect: Seconds = 5.0
    headers: Seconds = 120.0
    first_byte: Seconds = 120.0
    idle: Seconds = 60.0
    total: Seconds = 600.0


class Breaker(Section, frozen=True):
    failures: Positive = 5
    """Failures in the window that open it, if they are also half of the calls."""
    window: Seconds = 30.0
    open: Seconds = 10.0


class Pool(Section, frozen=True):
    size: Positive = 64
    """Open connections per worker and origin."""
    idle: Seconds = 60.0


class Upstream(Section, frozen=True):
    kind: Literal["ollama", "anthropic", "openai"]
    url: str
    api_key_env: str = ""
    api_key_file: str = ""
    timers: Timers = Timers()
    breaker: Breaker = Breaker()
    pool: Pool = Pool()
    queue: Queue = Queue()
    retries: Annotated[int, msgspec.Meta(ge=0, le=5)] = 0
    ca_file: str = ""
    simulated: bool = False


class Model(ModelRouting, frozen=True, kw_only=True):
    chain: Annotated[list[str], msgspec.Meta(min_length=1)]
    """`upstream/model` targets in the order in which they are tried."""
    max_tokens: Positive | None = None
    """Sent to upstreams that demand a limit when the client names none."""
    any_order: bool = False
    """Whether the order of a request's top-level members makes no other key."""
    prompts: PromptMode = "off"
    """What is done about what its prompts hold, at least."""
    semantic: Semantic = Semantic()


class ApiCache(Section, frozen=True):
    enabled: bool = True
    default_ttl: Annotated[float, msgspec.Meta(ge=0, le=86400)] = 0.0
    """For answers without any freshness information."""
    stale_if_error: Annotated[float, msgspec.Meta(ge=0, le=604800)] = 0.0
    stale_while_revalidate: Annotated[float, msgspec.Meta(ge=0, le=604800)] = 0.0
    """Where the answer does not say it itself."""
    negative_ttl: Annotated[float, msgspec.Meta(ge=0, le=300)] = 0.0
    """For 404 and 410 without any freshness information, instead of `default_ttl`."""
    private: bool = False
    """Also keep answers to requests that carry the hub's own upstream credentials."""


class Api(Section, frozen=True):
    prefix: str
    url: str
    api_key_env: str = ""
    api_key_file: str = ""
    api_key_header: str = "authorization"
    api_key_scheme: str = "Bearer"
    auth: bool = True
    """Whether callers need a pihub key."""
    methods: list[str] = msgspec.field(
        default_factory=lambda: ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]
    )
    forward_headers: list[str] = []
    """Request header fields that pass although they are held back by default."""
    timers: Timers = Timers()
    breaker: Breaker = Breaker()
    pool: Pool = Pool()
    retries: Annotated[int, msgspec.Meta(ge=0, le=5)] = 2
    requests_per_minute: Positive | None = None
    burst: Positive | None = None
    cache: ApiCache = ApiCache()
    paging: Paging = Paging()
    ca_file: str = ""


class Gateway(Section, frozen=True):
    cache_temperature: Annotated[float, msgspec.Meta(ge=0, le=2)] = 0.0
    """Requests at or below this temperature count as deterministic."""
    prices_file: str = ""
    """A TOML price table that extends the built-in one."""
    warn_unknown_price: bool = True
    responses_ttl: Seconds = 86400.0
    """How long a stored response can be referred to."""
    prompt_caching: Literal["auto", "off"] = "auto"
    """Whether prompts to Anthropic are marked for its prompt cache where that pays."""
    idempotency_ttl: Seconds = 86400.0
    """How long the answer to a request with an Idempotency-Key is kept for its repeats."""
    lane: bool = True
    """Chats that merely pass through are answered by the core, without the pipeline."""


class Settings(Section, frozen=True):
    """The whole configuration, immutable."""

    server: Server = Server()
    cache: Cache = Cache()
    store: Store = Store()
    limits: Limits = Limits()
    access: Access = Access()
    gateway: Gateway = Gateway()
    ollama: OllamaManagement = OllamaManagement()
    routing: Routing = Routing()
    money: Money = Money()
    energy: Energy = Energy()
    streams: Streams = Streams()
    jobs: Jobs = Jobs()
    offline: Offline = Offline()
    machine: MachineSection = MachineSection()
    scanner: Scanner = Scanner()
    prompts: Prompts = Prompts()
    upstreams: dict[str, Upstream] = {}
    models: dict[str, Model] = {}
    apis: dict[str, Api] = {}
    otel: Otel = Otel()
    alerts: Alerts = Alerts()
    webhooks: dict[str, Webhook] = {}
    subscribers: dict[str, Subscriber] = {}
    actions: dict[str, Action] = {}
    egress: Egress = Egress()
