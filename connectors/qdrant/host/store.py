"""The folder of a store: a folder per collection, and one small file of aliases."""

from __future__ import annotations

import hashlib
import json
import shutil
import sys
import threading
import uuid
from pathlib import Path
from typing import Any, Final

import grpc

from connectors.qdrant.host import schema, sidecar
from connectors.qdrant.host.refused import Refused, damaged, missing, wrong
from connectors.qdrant.host.shard import CREATING, Shard

ALIASES: Final = "aliases.json"
_PLAIN: Final = frozenset("abcdefghijklmnopqrstuvwxyz0123456789_-")
_LONGEST: Final = 120
_GONE: Final = ".gone-"


def folder_name(collection: str) -> str:
    """The file name of a collection. Everything but a-z, 0-9, `_` and `-` is percent-encoded, so that no name
    can leave the store, and names that differ only by case stay apart on every file system."""
    quoted = "".join(
        c if c in _PLAIN else "".join(f"%{b:02x}" for b in c.encode("utf-8", "surrogatepass"))
        for c in collection
    )
    if len(quoted) <= _LONGEST:
        return quoted
    return (
        f"{quoted[:_LONGEST]}~{hashlib.sha256(collection.encode('utf-8', 'surrogatepass')).hexdigest()[:16]}"
    )


class Store:
    """Every collection of one folder. `lock` guards the list and the aliases, not the collections themselves."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.lock = threading.RLock()
        self._folder = root / "collections"
        self._folder.mkdir(mode=0o700, exist_ok=True)
        self._shards: dict[str, Shard] = {}
        self._broken: dict[str, str] = {}
        self._aliases: dict[str, str] = {}
        self._aliases_fault: str | None = None
        self._load()

    def _load(self) -> None:
        for folder in sorted(self._folder.iterdir()):
            if folder.is_dir():
                self._load_one(folder)
        try:
            self._aliases = {
                str(k): str(v) for k, v in json.loads((self.root / ALIASES).read_bytes()).items()
            }
        except FileNotFoundError:
            pass
        except (OSError, ValueError, AttributeError) as fault:
            self._aliases_fault = f"{ALIASES} can't be read ({fault})"

    def _load_one(self, folder: Path) -> None:
        if folder.name.startswith(_GONE) or (folder / CREATING).exists():
            # What a crash left of a collection that was being dropped or made: nobody was told that it exists.
            shutil.rmtree(folder, ignore_errors=True)
            return
        try:
            shard = Shard.load(folder)
        except ValueError as fault:
            sys.stderr.write(f"{folder}: {fault}\n")
            self._broken[folder.name] = str(fault)
        else:
            self._shards[shard.name] = shard

    # Collections

    def names(self) -> list[str]:
        with self.lock:
            return sorted([*self._shards, *self._broken])

    def exists(self, name: str) -> bool:
        schema.check_name(name)
        with self.lock:
            return self._aliases.get(name, name) in self._shards

    def shard(self, name: str) -> Shard:
        """The collection of a name or an alias. Raises NOT_FOUND, or DATA_LOSS where it is damaged."""
        schema.check_name(name)
        with self.lock:
            real = self._aliases.get(name, name)
            shard = self._shards.get(real)
            if shard is not None:
                return shard
            why = self._broken.get(folder_name(real)) or self._broken.get(real)
            if why is not None:
                raise damaged(real, why)
            if self._aliases_fault is not None:
                raise damaged(name, self._aliases_fault)
        raise missing(f"Collection `{name}` doesn't exist!")

    def asked(self, request: Any, writes: bool = False) -> Shard:
        """The collection that a request names, once its strict mode lets the request through."""
        shard = self.shard(request.collection_name)
        shard.admit(request, writes)
        return shard

    def shards(self) -> list[Shard]:
        with self.lock:
            return list(self._shards.values())

    def create(self, request: Any) -> None:
        name = schema.check_name(request.collection_name, new=True)
        with self.lock:
            if name in self._shards or folder_name(name) in self._broken:
                raise Refused(
                    grpc.StatusCode.ALREADY_EXISTS, f"Wrong input: Collection `{name}` already exists!"
                )
            if name in self._aliases:
                raise wrong(
                    f"Can't create collection with name {name}. Alias with the same name already exists"
                )
            config = schema.from_request(request)
            self._shards[name] = Shard.create(name, self._folder / folder_name(name), config)

    def delete(self, name: str) -> bool:
        """Whether there was one. Its aliases go with it, as on the server. A damaged one can be deleted too."""
        schema.check_name(name)
        with self.lock:
            aside = self._folder / f"{_GONE}{uuid.uuid4().hex}"
            shard = self._shards.get(name)
            if shard is not None:
                self._put_aliases({a: c for a, c in self._aliases.items() if c != name})
                del self._shards[name]
                shard.drop(aside)
            else:
                folder = next((f for f in (folder_name(name), name) if f in self._broken), None)
                if folder is None:
                    return False
                del self._broken[folder]
                (self._folder / folder).rename(aside)
        shutil.rmtree(aside, ignore_errors=True)
        return True

    # Aliases

    def aliases(self, of: str | None = None) -> dict[str, str]:
        """Alias -> collection."""
        with self.lock:
            if self._aliases_fault is not None:
                raise damaged("*", self._aliases_fault)
            return {a: c for a, c in self._aliases.items() if of is None or c == of}

    def change_aliases(self, actions: Any) -> None:
        """All of them or none. On a server each action is persisted by itself (1.18)."""
        with self.lock:
            held = self.aliases()
            for action in actions:
                self._change(held, action)
            self._put_aliases(held)

    def _change(self, held: dict[str, str], action: Any) -> None:
        match action.WhichOneof("action"):
            case "create_alias":
                name, target = action.create_alias.alias_name, action.create_alias.collection_name
                if target not in self._shards:
                    raise missing(f"Collection `{target}` doesn't exist!")
                self._free(name)
                held[name] = target
            case "delete_alias":
                held.pop(action.delete_alias.alias_name, None)
            case "rename_alias":
                old, new = action.rename_alias.old_alias_name, action.rename_alias.new_alias_name
                if old not in held:
                    raise missing(f"Alias {old} does not exists!")
                self._free(new)
                held[new] = held.pop(old)
            case _:
                raise wrong("Malformed AliasOperation type")

    def _free(self, name: str) -> None:
        if name in self._shards:
            raise Refused(grpc.StatusCode.ALREADY_EXISTS, f"Wrong input: Collection `{name}` already exists!")

    def _put_aliases(self, held: dict[str, str]) -> None:
        if held != self._aliases:
            sidecar.replace(self.root / ALIASES, json.dumps(held, indent=1).encode())
            self._aliases = held

    # The whole store

    def tend(self) -> None:
        """What is to be done between the calls; one collection's fault does not keep the others from it."""
        for shard in self.shards():
            try:
                shard.tend()
            except BaseException as fault:
                sys.stderr.write(f"tending {shard.name!r}: {fault}\n")

    @property
    def building(self) -> bool:
        """Whether an index is being built: the host does not end under it."""
        return any(shard.at_work for shard in self.shards())

    def close(self) -> None:
        """Close every collection cleanly; one that can't be does not keep the others from it."""
        for shard in self.shards():
            try:
                shard.close()
            except BaseException as fault:
                sys.stderr.write(f"closing {shard.name!r}: {fault}\n")
