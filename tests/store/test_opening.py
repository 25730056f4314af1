"""Opening, migrating, and everything that can be wrong with a database."""

from __future__ import annotations

import hashlib
import json
import logging
import os
import pickle
import sqlite3
import subprocess
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import inspect

from connectors.errors import PlumblineError
from console.settings import Settings
from console.store import GoldenSets, Store, tables
from console.store import engine as engines
from console.store.engine import transaction
from console.store.migrate import FOLDER
from tests.store.conftest import Desk, a_report
from tests.store.postgres_server import PostgresServer, start_postgres

HOUSE = Path(__file__).resolve().parents[2]
OPENING = """
import sys
from pathlib import Path
from console.settings import Settings
from console.store import Store
from tests.store.conftest import Desk, a_report
sys.stdin.readline()
store = Store.open(Desk(Settings(home=Path(sys.argv[1]), store_url=sys.argv[2] or None)))
for _ in range(5):
    store.save(a_report())
print(len(store.reports()))
"""


def migrated(connection: Any, revision: str) -> None:
    command.upgrade(_config(connection), revision)


def back(connection: Any, revision: str) -> None:
    command.downgrade(_config(connection), revision)


def _config(connection: Any) -> Config:
    config = Config()
    config.set_main_option("script_location", str(FOLDER))
    config.attributes["connection"] = connection
    return config


def fault(desk: Desk) -> PlumblineError:
    with pytest.raises(PlumblineError) as caught:
        Store.open(desk).save(a_report())
    return caught.value


def test_processes_that_start_at_once_migrate_once(desk: Desk) -> None:
    settings = desk.settings
    run = [sys.executable, "-c", OPENING, str(settings.home), settings.store_url or ""]
    started = [
        subprocess.Popen(
            run, cwd=HOUSE, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        for _ in range(4)
    ]
    for one in started:
        assert one.stdin is not None
        one.stdin.write("go\n")
        one.stdin.flush()
    for one in started:
        _, err = one.communicate(timeout=60)
        assert one.returncode == 0, err
    assert len(Store.open(desk).reports()) == 20


def test_threads_share_a_store(desk: Desk) -> None:
    failures: list[BaseException] = []

    def work() -> None:
        try:
            store = Store.open(desk)
            for _ in range(5):
                store.set_baseline("prod/rows", store.save(a_report()))
                store.reports()
        except BaseException as failure:
            failures.append(failure)

    threads = [threading.Thread(target=work) for _ in range(6)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert failures == []
    assert len(Store.open(desk).reports()) == 30


def test_the_migrations_make_the_tables_that_the_code_knows(store: Store) -> None:
    script = ScriptDirectory(str(FOLDER))
    assert script.get_current_head() == tables.HEAD
    with transaction(store._engine, "") as connection:
        context = MigrationContext.configure(connection, opts={"version_table": tables.VERSION_TABLE})
        assert compare_metadata(context, tables.metadata) == []


def test_a_store_of_the_first_version_is_brought_to_this_one_with_what_it_holds(desk: Desk) -> None:
    url, where = engines.place(desk.settings.store_url, desk.settings.home)
    if url.get_backend_name() == "sqlite":
        engines.made_ready(Path(url.database or ""))
    engine = engines.engine(url, where)
    with transaction(engine, "", write=True) as connection:
        migrated(connection, "0001")
    held = a_report()
    names = set(tables.reports.c.keys())
    row = {"vector": "", "saved": "", "root_causes": "{}", "light": "{}", "data": json.dumps(held.data)}
    row |= {k: v for k, v in held.data.items() if k in names and k not in row}
    with transaction(engine, "", write=True) as connection:
        connection.execute(tables.reports.insert(), [row])
        assert not inspect(connection).has_table("plumbline_golden_sets")
    engine.dispose()
    store = Store.open(desk)
    assert store.report(held.data["id"]) == held.data
    with transaction(store._engine, "") as connection:
        context = MigrationContext.configure(connection, opts={"version_table": tables.VERSION_TABLE})
        assert compare_metadata(context, tables.metadata) == []
    with transaction(store._engine, "", write=True) as connection:
        back(connection, "0001")
        assert inspect(connection).has_table("plumbline_reports")
        assert not inspect(connection).has_table("plumbline_golden_sets")
    store.close()
    assert GoldenSets.open(desk).names() == []


def test_the_second_opening_needs_no_migration_tool(lite: Desk) -> None:
    Store.open(lite).close()
    code = (
        "import sys\nfrom pathlib import Path\nfrom console.settings import Settings\n"
        "import console.store\nassert 'sqlalchemy' not in sys.modules\n"
        "from tests.store.conftest import Desk\nfrom console.store import Store\n"
        "Store.open(Desk(Settings(home=Path(sys.argv[1])))).reports()\n"
        "assert 'alembic' not in sys.modules and 'sqlalchemy' in sys.modules\n"
    )
    code = code.replace(
        "from tests.store.conftest import Desk\n", "from types import SimpleNamespace as Desk\n"
    )
    code = code.replace("Desk(Settings(", "Desk(settings=Settings(")
    subprocess.run([sys.executable, "-c", code, str(lite.settings.home)], cwd=HOUSE, check=True, timeout=60)


def test_a_newer_store_is_refused(desk: Desk) -> None:
    store = Store.open(desk)
    with transaction(store._engine, "", write=True) as connection:
        connection.exec_driver_sql(f"UPDATE {tables.VERSION_TABLE} SET version_num = '9999'")
    store.close()
    caught = fault(desk)
    assert caught.code == "unsupported"
    assert "newer version" in caught.message


def test_sqlite_is_private_waits_and_reads_beside_a_writer(lite: Desk) -> None:
    store = Store.open(lite)
    path = lite.settings.home / "store.sqlite3"
    assert path.stat().st_mode & 0o077 == 0
    with sqlite3.connect(path) as other:
        assert other.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    with transaction(store._engine, "") as connection:
        assert connection.exec_driver_sql("PRAGMA foreign_keys").scalar() == 1
        assert connection.exec_driver_sql("PRAGMA busy_timeout").scalar() == 10_000
    saved = store.save(a_report())
    with transaction(store._engine, "", write=True) as connection:
        connection.exec_driver_sql("UPDATE plumbline_reports SET verdict = 'broken'")
        assert store.report(saved)["id"] == saved
    other.close()


def test_a_lock_that_stays_is_busy(lite: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("console.store.engine.BUSY_SECONDS", 0.2)
    monkeypatch.setattr("console.store.engine.SAVE_SECONDS", 0.2)
    Store.open(lite)
    holder = sqlite3.connect(lite.settings.home / "store.sqlite3", isolation_level=None)
    holder.execute("BEGIN IMMEDIATE")
    try:
        began = time.monotonic()
        caught = fault(lite)
        assert caught.code == "busy"
        assert 0.1 < time.monotonic() - began < 20
    finally:
        holder.close()
    with Store.open(lite.settings) as store:
        store.save(a_report())


def test_who_only_looks_gives_up_soon_and_a_finished_report_waits(
    lite: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A store without a write-ahead log, as on a network's disk: there a writer keeps readers out."""
    monkeypatch.setattr("console.store.engine.BUSY_SECONDS", 0.2)
    monkeypatch.setattr("console.store.engine.SAVE_SECONDS", 20)
    Store.open(lite).save(a_report())
    Store.open(lite).close()
    holder = sqlite3.connect(
        lite.settings.home / "store.sqlite3", isolation_level=None, check_same_thread=False
    )
    holder.execute("PRAGMA journal_mode = DELETE")
    holder.execute("BEGIN EXCLUSIVE")
    began = time.monotonic()
    with pytest.raises(PlumblineError) as caught:
        Store.open(lite, wait=0.1).latest_each()
    assert caught.value.code == "busy"
    assert time.monotonic() - began < 5
    holder.execute("ROLLBACK")
    glancing = Store.open(lite, wait=0.1)
    assert len(glancing.latest_each()) == 1
    holder.execute("BEGIN EXCLUSIVE")
    release = threading.Timer(1.0, lambda: holder.execute("ROLLBACK"))
    release.start()
    began = time.monotonic()
    saved = glancing.save(a_report())
    assert time.monotonic() - began > 0.5
    release.join()
    assert glancing.report(saved)["id"] == saved
    holder.close()


@pytest.mark.postgres
def test_a_lock_that_stays_is_busy_on_postgres(
    postgres_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import psycopg

    monkeypatch.setattr("console.store.engine.BUSY_SECONDS", 1)
    monkeypatch.setattr("console.store.engine.SAVE_SECONDS", 1)
    desk = Desk(Settings(home=tmp_path, store_url=postgres_url))
    Store.open(desk)
    with psycopg.connect(postgres_url) as holder:
        holder.execute("LOCK TABLE plumbline_reports IN ACCESS EXCLUSIVE MODE")
        assert fault(desk).code == "busy"


def test_a_file_that_is_no_database_is_damaged(lite: Desk) -> None:
    path = lite.settings.home / "store.sqlite3"
    path.parent.mkdir(parents=True)
    path.write_bytes(b"not a database, at all " * 100)
    caught = fault(lite)
    assert caught.code == "damaged"
    assert caught.where == str(path)


def test_a_file_with_a_broken_page_is_damaged(lite: Desk) -> None:
    store = Store.open(lite)
    for _ in range(50):
        store.save(a_report())
    store.close()
    path = lite.settings.home / "store.sqlite3"
    with sqlite3.connect(path) as other:
        other.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    other.close()
    with path.open("r+b") as file:
        file.seek(4096)
        file.write(b"\xff" * (path.stat().st_size - 4096))
    caught = fault(lite)
    assert caught.code == "damaged"


def test_a_full_disk_is_said(lite: Desk) -> None:
    store = Store.open(lite)
    store.save(a_report())

    from sqlalchemy import event

    def small(connection: object, _record: object) -> None:
        connection.execute("PRAGMA max_page_count = 1")  # type: ignore[attr-defined]

    event.listen(store._engine, "connect", small)
    with pytest.raises(PlumblineError) as caught:
        store.save(a_report(text="x" * 1_000_000))
    assert caught.value.code == "disk-full"
    assert len(store.reports()) == 1


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_that_can_not_be_written_is_said(lite: Desk) -> None:
    lite.settings.home.mkdir(mode=0o500)
    assert fault(lite).code == "settings"


def test_a_folder_that_is_a_file_is_said(tmp_path: Path) -> None:
    (tmp_path / "home").write_text("")
    assert fault(Desk(Settings(home=tmp_path / "home"))).code == "settings"


def test_a_store_that_was_moved_away_is_made_anew(lite: Desk) -> None:
    Store.open(lite).save(a_report())
    for path in lite.settings.home.glob("store.sqlite3*"):
        path.unlink()
    assert Store.open(lite).reports() == []


@pytest.mark.parametrize(
    "url",
    [
        "mysql://u:s3cr3tword@h/d",
        "postgresql://u:s3cr3tword@h:port/d",
        "sqlite://",
        "nonsense+x://s3cr3tword",
    ],
)
def test_urls_that_can_not_be_used_are_refused_without_being_quoted(tmp_path: Path, url: str) -> None:
    caught = fault(Desk(Settings(home=tmp_path, store_url=url)))
    assert caught.code == "settings"
    assert "s3cr3tword" not in str(caught)


@pytest.mark.postgres
def test_what_postgres_refuses_is_named_and_no_secret_is_said(
    postgres_server: PostgresServer,
    postgres_url: str,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.DEBUG)
    secret = "s3cr3tw0rdThatIsWrong"
    port = postgres_server.port
    wrong = {
        "unauthorised": postgres_server.url(password=secret),
        "not-found": postgres_server.url("nowhere"),
        "unreachable": f"postgresql://plumb:{secret}@127.0.0.1:1/d",
    }
    said: list[str] = []
    for code, url in wrong.items():
        caught = fault(Desk(Settings(home=tmp_path, store_url=url)))
        assert caught.code == code
        said += [str(caught), repr(caught), caught.where]
    good = Store.open(Desk(Settings(home=tmp_path, store_url=postgres_url)))
    said += [repr(good), good.where, repr(Settings(home=tmp_path, store_url=postgres_url))]
    everything = "\n".join([*said, caplog.text])
    assert secret not in everything
    assert postgres_server.password not in everything
    assert f"127.0.0.1:{port}" in good.where
    assert "plumb:" not in everything
    good.close()


@pytest.mark.postgres
def test_a_server_that_goes_is_unreachable_and_comes_back(tmp_path: Path) -> None:
    with start_postgres() as server:
        desk = Desk(Settings(home=tmp_path, store_url=server.url()))
        Store.open(desk).save(a_report())
        server.stop()
        assert fault(desk).code == "unreachable"
        server.start()
        assert len(Store.open(desk).reports()) == 1
        Store.open(desk).close()


@pytest.mark.postgres
def test_a_user_who_may_not_create_tables_is_unauthorised(
    postgres_server: PostgresServer, postgres_url: str, tmp_path: Path
) -> None:
    import psycopg

    with psycopg.connect(postgres_server.url(), autocommit=True) as connection:
        connection.execute("CREATE ROLE small LOGIN PASSWORD 'little-word'")
    database = postgres_url.rpartition("/")[2]
    url = postgres_server.url(database, user="small", password="little-word")
    assert fault(Desk(Settings(home=tmp_path, store_url=url))).code == "unauthorised"


def test_tables_that_are_gone_are_damage(desk: Desk) -> None:
    store = Store.open(desk)
    with transaction(store._engine, "", write=True) as connection:
        connection.exec_driver_sql("DROP TABLE plumbline_baselines")
    assert fault(desk).code == "damaged"


def test_errors_cross_processes(lite: Desk) -> None:
    broken = Desk(replace(lite.settings, store_url="mysql://u:word@h/d"))
    caught = fault(broken)
    assert pickle.loads(pickle.dumps(caught)).code == "settings"


def test_golden_sets_of_an_older_store_keep_their_numbers_and_get_the_hash_of_today(desk: Desk) -> None:
    """Their hash depended on the order of smoke items."""
    from console.search import golden
    from console.search.golden import GoldenQuery, GoldenSet
    from console.search.golden.form import to_json

    url, where = engines.place(desk.settings.store_url, desk.settings.home)
    if url.get_backend_name() == "sqlite":
        engines.made_ready(Path(url.database or ""))
    engine = engines.engine(url, where)
    with transaction(engine, "", write=True) as connection:
        migrated(connection, "0002")
    shop = GoldenSet("shop", queries=(GoldenQuery("q", "red", must=("2", "1"), must_not=("4", "3")),))
    data = to_json(shop)
    older = {**data, "note": None}
    del older["note"]
    text = json.dumps(older, ensure_ascii=True, sort_keys=True, separators=(",", ":"))
    row = {
        "name": "shop",
        "at": "2026-01-01T00:00:00+00:00",
        "hash": hashlib.sha256(text.encode()).hexdigest(),
        "light": json.dumps({"queries": 1, "note": ""}),
        "data": json.dumps(data),
    }
    with transaction(engine, "", write=True) as connection:
        connection.execute(tables.golden_sets.insert(), [{**row, "version": n} for n in (0, 1, 2)])
        connection.execute(
            tables.golden_sets.insert(), [{**row, "name": "worn", "version": 1, "hash": "0" * 64}]
        )
    engine.dispose()
    assert golden.find(desk.settings, "shop@1") == shop.but(version=1)
    assert golden.freeze(desk.settings, "shop") == (shop.but(version=2), False)
    golden.remove(desk.settings, "shop")
    golden.put(desk.settings, shop.but(note="", queries=(GoldenQuery("q", "blue"),)))
    assert golden.freeze(desk.settings, "shop")[0].version == 3
    with pytest.raises(PlumblineError) as caught:
        golden.find(desk.settings, "worn@1")
    assert caught.value.code == "damaged"
