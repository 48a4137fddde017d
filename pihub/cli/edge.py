"""Write the configuration of a TLS proxy in front of the hub.

Caddy gets and renews the certificate by itself: from Let's Encrypt for a public name, from
its own authority for a name inside the house.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from urllib.parse import urlsplit

from pihub.cli import configuration, exits

EXAMPLE = """Examples:
  pihub edge caddy
  pihub edge caddy --write /etc/caddy/Caddyfile"""

CADDYFILE = """{name} {{
\t{tls}encode zstd gzip
\theader {{
\t\tStrict-Transport-Security "max-age=31536000"
\t\t-Server
\t}}
\t# Names with underscores would merge with those of dashes behind a WSGI server.
\trequest_header -X_Forwarded_For
\trequest_header -X_Real_Ip
\treverse_proxy {target} {{
\t\tflush_interval -1
\t\theader_up X-Forwarded-For {{remote_host}}
\t\theader_up X-Forwarded-Proto {{scheme}}
\t}}
}}
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    kinds = parser.add_subparsers(dest="kind", metavar="PROXY", required=True)
    caddy = kinds.add_parser("caddy", help="print a Caddyfile for server.public_url")
    caddy.add_argument("--write", metavar="FILE", help="write it there instead")
    configuration.add_config(caddy)


def run(args: argparse.Namespace) -> int:
    from pihub.settings.addresses import is_private, parse_listen

    loaded = configuration.read(args, quiet=True)
    server = loaded.settings.server
    url = urlsplit(server.public_url)
    if url.scheme != "https" or not url.hostname:
        raise exits.Failure('set server.public_url to the https URL, such as "https://pi.example"')
    host, port = parse_listen(server.listen.split(",")[0])
    host = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(host, host)  # noqa: S104 - to call
    text = CADDYFILE.format(
        name=url.netloc,
        tls="tls internal\n\t" if is_private(url.hostname) else "",
        target=f"{host}:{port}",
    )
    if args.write:
        Path(args.write).write_text(text)
        print(f"{args.write} written; then: caddy reload --config {args.write}")
    else:
        print(text, end="")
    return exits.OK
