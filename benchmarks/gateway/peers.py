"""nginx: as the upstream, as the plain proxy, as the cache."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import time
from pathlib import Path

SENTENCE = "The answer is a sentence of plain words. "
ANSWER = (
    '{"id":"chatcmpl-1","object":"chat.completion","created":1700000000,"model":"m1",'
    '"choices":[{"index":0,"message":{"role":"assistant","content":"'
    + (SENTENCE * 17).strip()
    + '"},'
    '"finish_reason":"stop"}],"usage":{"prompt_tokens":20,"completion_tokens":120,'
    '"total_tokens":140}}'
)
REQUEST = (
    '{"model":"%s","messages":[{"role":"system","content":"You are brief."},'
    '{"role":"user","content":"%s"}],"temperature":%s,"max_tokens":200}'
)

CONF = """
worker_processes 1;
daemon off;
pid {dir}/nginx.pid;
error_log {dir}/error.log crit;
events {{ worker_connections 4096; }}
http {{
  access_log off;
  client_body_temp_path {dir}/body; proxy_temp_path {dir}/proxy;
  fastcgi_temp_path {dir}/f; uwsgi_temp_path {dir}/u; scgi_temp_path {dir}/s;
  keepalive_requests 1000000000;
  client_body_buffer_size 64k;
  {body}
}}
"""
UPSTREAM = """
  server {{ listen 127.0.0.1:{port};
    location / {{ default_type application/json; return 200 '{answer}'; }} }}
"""
PROXY = """
  proxy_cache_path {dir}/cache levels=1 keys_zone=z:10m;
  open_file_cache max=1000 inactive=60s;
  upstream up {{ server 127.0.0.1:{upstream}; keepalive 128; keepalive_requests 1000000000; }}
  server {{ listen 127.0.0.1:{port};
    proxy_http_version 1.1; proxy_set_header Connection "";
    location /v1/ {{ proxy_pass http://up; }}
    location /cached/ {{
      proxy_pass http://up; proxy_cache z; proxy_cache_methods POST;
      proxy_cache_key $uri$request_body; proxy_cache_valid 200 1h; }} }}
"""


def install() -> None:
    """nginx and wrk from the distribution, where they are missing."""
    missing = [p for p, c in (("nginx-light", "nginx"), ("wrk", "wrk")) if not shutil.which(c)]
    if missing:
        if os.geteuid() != 0:
            raise SystemExit(f"install first: apt-get install {' '.join(missing)}")
        subprocess.run(["apt-get", "update", "-qq"], check=True)
        subprocess.run(["apt-get", "install", "-y", "-qq", *missing], check=True)


def free_port() -> int:
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return int(s.getsockname()[1])


def wait_port(port: int, seconds: float = 120.0) -> None:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            return
        except OSError:
            time.sleep(0.05)
    raise SystemExit(f"nothing listens on port {port}")


class Nginx:
    """One nginx master with one worker, pinned to a core."""

    def __init__(self, folder: Path, body: str, core: int) -> None:
        folder.mkdir(parents=True)
        conf = folder / "nginx.conf"
        conf.write_text(CONF.format(dir=folder, body=body))
        self.process = subprocess.Popen(
            ["taskset", "-c", str(core), "nginx", "-p", str(folder), "-c", str(conf)]
        )

    def stop(self) -> None:
        self.process.terminate()
        self.process.wait(10)


def upstream(folder: Path, core: int) -> tuple[Nginx, int]:
    port = free_port()
    nginx = Nginx(folder, UPSTREAM.format(port=port, answer=ANSWER), core)
    wait_port(port)
    return nginx, port


def proxy(folder: Path, upstream_port: int, core: int) -> tuple[Nginx, int]:
    port = free_port()
    nginx = Nginx(folder, PROXY.format(dir=folder, port=port, upstream=upstream_port), core)
    wait_port(port)
    return nginx, port
