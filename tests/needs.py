"""What a test needs beside Python: where it is, or in one sentence why it is not there."""

from __future__ import annotations

import importlib.util
import os
import shutil
from functools import cache
from pathlib import Path


def cache_folder() -> Path:
    """Folder outside the tree where `tests/prepare.sh` keeps what it got."""
    base = os.environ.get("PLUMBLINETEST_CACHE")
    if base:
        return Path(base)
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "plumbline-tests"


@cache
def weaviate_program() -> Path | None:
    named = os.environ.get("PLUMBLINETEST_WEAVIATE")
    found = shutil.which("weaviate-server")
    places = [
        named,
        str(cache_folder() / "bin" / "weaviate-server"),
        found,
        str(Path.home() / "go/bin/weaviate-server"),
    ]
    return next((Path(p) for p in places if p and Path(p).is_file()), None)


@cache
def chromium_program() -> Path | None:
    found = shutil.which("chromium") or shutil.which("chromium-browser")
    return Path(found) if found else None


@cache
def axe_source() -> Path | None:
    path = cache_folder() / "axe.min.js"
    return path if path.is_file() else None


@cache
def postgres_programs() -> Path | None:
    """The folder of `initdb` and `pg_ctl`; Debian keeps them outside PATH."""
    named = os.environ.get("PLUMBLINETEST_POSTGRES")
    on_path = shutil.which("initdb")
    places = [Path(named)] if named else []
    places += sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    places += [Path(on_path).parent] if on_path else []
    return next((p for p in places if (p / "initdb").is_file() and (p / "pg_ctl").is_file()), None)


def lacking(need: str) -> str | None:
    """Why tests with this marker can't run here, or None where they can."""
    if need == "weaviate" and weaviate_program() is None:
        return "no Weaviate server program (go install, see tests/prepare.sh)"
    if need == "browser" and chromium_program() is None:
        return "no Chromium (apt-get install chromium)"
    if need == "postgres" and postgres_programs() is None:
        return "no PostgreSQL programs (apt-get install postgresql)"
    if need == "postgres" and importlib.util.find_spec("psycopg") is None:
        return "no driver (install plumbline[postgres])"
    if need == "qdrant_server" and not os.environ.get("QDRANT_URL"):
        return "no Qdrant server (set QDRANT_URL, and QDRANT_GRPC for its gRPC port)"
    if need == "qdrant_cluster" and len(os.environ.get("QDRANT_CLUSTER", "").split()) < 2:
        return (
            "no Qdrant cluster (set QDRANT_CLUSTER to the URLs of its nodes, with blanks between, and "
            "QDRANT_CLUSTER_GRPC to their gRPC ports)"
        )
    return None


def required() -> frozenset[str]:
    """Needs whose absence is a failure: PLUMBLINETEST_REQUIRE=weaviate,browser."""
    return frozenset(filter(None, os.environ.get("PLUMBLINETEST_REQUIRE", "").replace(" ", "").split(",")))
