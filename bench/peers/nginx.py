"""nginx: a reverse proxy with nothing of a gateway, the limit of what one core forwards."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import urlsplit

from bench.peers.base import NotRun, Peer, run

_CONFIG = """
daemon off;
worker_processes 1;
pid {work}/nginx.pid;
error_log {work}/error.log;
events {{ worker_connections 4096; }}
http {{
    access_log off;
    client_body_temp_path {work}/body;
    proxy_temp_path {work}/proxy;
    fastcgi_temp_path {work}/fastcgi;
    uwsgi_temp_path {work}/uwsgi;
    scgi_temp_path {work}/scgi;
    keepalive_requests 1000000000;
    upstream provider {{
        server {upstream};
        keepalive 256;
        keepalive_requests 1000000000;
    }}
    server {{
        listen 127.0.0.1:{port};
        location / {{
            proxy_pass http://provider;
            proxy_http_version 1.1;
            proxy_set_header Connection "";
            proxy_buffering off;
        }}
    }}
}}
"""


class Nginx(Peer):
    name = "nginx"
    title = "nginx"
    version = "1.22.1"
    role = "forwards only; the limit"

    @property
    def program(self) -> Path:
        return self.home / "usr/sbin/nginx"

    def installed(self) -> bool:
        return self.program.exists()

    def install(self) -> None:
        """Debian's package, unpacked into our folder: no root, nothing on the system changes."""
        if not shutil.which("apt-get") or not shutil.which("dpkg"):
            raise NotRun("needs apt-get and dpkg (Debian's package)")
        self.home.mkdir(parents=True, exist_ok=True)
        run(["apt-get", "download", "nginx"], cwd=self.home)
        package = next(self.home.glob("nginx_*.deb"))
        run(["dpkg", "-x", str(package), str(self.home)])
        run([str(self.program), "-v"])

    def command(self, port: int, upstream: str) -> Sequence[str]:
        address = urlsplit(upstream).netloc
        config = _CONFIG.format(work=self.work, upstream=address, port=port)
        path = self.write("nginx.conf", config)
        return [str(self.program), "-p", str(self.work), "-e", "stderr", "-c", str(path)]
