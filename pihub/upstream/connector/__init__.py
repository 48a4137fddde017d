"""The cooperative HTTP/1.1 client: how a worker reaches upstreams without blocking."""

from pihub.upstream.connector.connector import IDEMPOTENT, Connector
from pihub.upstream.connector.origin import Origin
from pihub.upstream.connector.response import Response

__all__ = ["IDEMPOTENT", "Connector", "Origin", "Response"]
