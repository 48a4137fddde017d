"""What does the hub cost beside nginx doing the same job?

Two questions, one worker each, the contenders in turn within every round:
a cache hit against nginx `proxy_cache`, and a chat completion passed through against
nginx `proxy_pass`. The upstream is a second nginx with a canned answer. Servers are
pinned to one core, load and upstream to another. Reported: requests a second and the
server's own CPU (user + system, from /proc) per request, medians over the rounds.
"""

from benchmarks.gateway.run import run

__all__ = ["run"]
