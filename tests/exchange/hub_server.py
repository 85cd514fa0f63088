"""A stand-in for the Hugging Face Hub that speaks its HTTP interface, as far as models are put there and fetched."""

import base64
import hashlib
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import unquote

TOKEN = "hf_ofatest"
COMMIT = "0123456789abcdef0123456789abcdef01234567"


class Hub(ThreadingHTTPServer):
    """Repositories with their files, in memory; the account ``me`` may write to its own."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.repositories: dict[str, dict[str, bytes]] = {}
        self.private: set[str] = set()
        self.objects: dict[str, bytes] = {}

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


@contextmanager
def running() -> Iterator[Hub]:
    hub = Hub()
    thread = threading.Thread(target=hub.serve_forever, daemon=True)
    thread.start()
    try:
        yield hub
    finally:
        hub.shutdown()
        hub.server_close()
        thread.join()


class Handler(BaseHTTPRequestHandler):
    server: Hub

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        if self.headers.get("Authorization") != f"Bearer {TOKEN}":
            return self.answer(401, {"error": "Invalid credentials"})
        path = unquote(self.path)
        if path == "/api/repos/create":
            asked = json.loads(body)
            name = f"{asked['organization']}/{asked['name']}" if asked.get("organization") else f"me/{asked['name']}"
            if not name.startswith("me/"):
                return self.answer(403, {"error": "Forbidden"})
            if name in self.server.repositories:
                return self.answer(409, {"error": "exists", "url": f"{self.server.address}/{name}"})
            self.server.repositories[name] = {}
            if asked.get("private") or asked.get("visibility") == "private":
                self.server.private.add(name)
            return self.answer(200, {"url": f"{self.server.address}/{name}", "id": name, "name": name})
        if path == "/api/validate-yaml":
            return self.answer(200, {"errors": [], "warnings": []})
        if path.endswith("/preupload/main"):
            files = json.loads(body)["files"]
            return self.answer(200, {"files": [self.mode(file["path"]) for file in files]})
        if path.endswith("/info/lfs/objects/batch"):
            found = [self.upload(each) for each in json.loads(body)["objects"]]
            return self.answer(200, {"transfer": "basic", "objects": found}, "application/vnd.git-lfs+json")
        if path.endswith("/commit/main"):
            return self.commit(path.removeprefix("/api/models/").removesuffix("/commit/main"), body)
        return self.answer(404, {"error": path})

    def do_PUT(self) -> None:
        data = self.rfile.read(int(self.headers["Content-Length"]))
        key = self.path.rpartition("/")[2]
        assert hashlib.sha256(data).hexdigest() == key
        self.server.objects[key] = data
        self.answer(200, {})

    def do_HEAD(self) -> None:
        self.do_GET()

    def do_GET(self) -> None:
        path = unquote(self.path).partition("?")[0]
        if path.startswith("/api/models/"):
            name, _, rest = path.removeprefix("/api/models/").partition("/tree/")
            name, _, revision = (name, "", rest) if rest else name.partition("/revision/")
            if not self.seen(name):
                return
            if revision not in ("", "main"):
                return self.answer(404, {"error": "Invalid rev id"}, code="RevisionNotFound")
            files = self.server.repositories[name]
            if rest:
                tree = [self.entry(file, data) for file, data in files.items()]
                return self.answer(200, tree)
            siblings = [{"rfilename": file} for file in files]
            return self.answer(200, {"id": name, "modelId": name, "sha": COMMIT, "siblings": siblings})
        name, _, rest = path.removeprefix("/").partition("/resolve/")
        if not self.seen(name):
            return None
        data = self.server.repositories[name].get(rest.partition("/")[2])
        if data is None:
            return self.answer(404, {"error": "Entry not found"}, code="EntryNotFound")
        self.send_response(200)
        self.send_header("X-Repo-Commit", COMMIT)
        self.send_header("ETag", f'"{hashlib.sha256(data).hexdigest()}"')
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(data)
        return None

    def mode(self, path: str) -> dict[str, Any]:
        large = path.endswith(".safetensors")
        return {"path": path, "uploadMode": "lfs" if large else "regular", "shouldIgnore": False, "oid": None}

    def upload(self, each: dict[str, Any]) -> dict[str, Any]:
        href = f"{self.server.address}/upload/{each['oid']}"
        return {**each, "authenticated": True, "actions": {"upload": {"href": href}}}

    def entry(self, file: str, data: bytes) -> dict[str, Any]:
        return {"type": "file", "path": file, "size": len(data), "oid": hashlib.sha1(data).hexdigest()}

    def commit(self, name: str, body: bytes) -> None:
        files = self.server.repositories[name]
        for line in body.splitlines():
            said = json.loads(line)
            value = said["value"]
            if said["key"] == "file":
                files[value["path"]] = base64.b64decode(value["content"])
            elif said["key"] == "lfsFile":
                files[value["path"]] = self.server.objects[value["oid"]]
        address = f"{self.server.address}/{name}/commit/{COMMIT}"
        self.answer(200, {"success": True, "commitOid": COMMIT, "commitUrl": address, "hookOutput": ""})

    def seen(self, name: str) -> bool:
        mine = self.headers.get("Authorization") == f"Bearer {TOKEN}"
        there = name in self.server.repositories and (mine or name not in self.server.private)
        if not there:
            self.answer(404, {"error": "Repository not found"}, code="RepoNotFound")
        return there

    def answer(self, status: int, body: Any, kind: str = "application/json", code: str = "") -> None:
        data = json.dumps(body).encode()
        self.send_response(status)
        if code:
            self.send_header("X-Error-Code", code)
            self.send_header("X-Error-Message", body["error"])
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(data)

    def log_message(self, format: str, *args: Any) -> None:
        """Tells nobody."""
