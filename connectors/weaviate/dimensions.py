"""The dimension of a vector field, which Weaviate's schema does not tell."""

from __future__ import annotations

import re
from typing import Final

import numpy as np

from connectors.errors import PlumblineError
from connectors.weaviate import stubs, wire
from connectors.weaviate.core import Core, Opened

_LOOKED_PARTS: Final = 8
_LOOKED_ROWS: Final = 20_000


class Dimensions(Core):
    """Learns dimensions from rows and from the index."""

    def _dimension(self, opened: Opened, name: str, timeout: float | None = None) -> int | None:
        """The dimension of a vector field, None while it holds no vector.

        Read from rows. Where the first ones lack it: from what the index says of a query of dimension 1,
        and as a quantized index says nothing, from up to 20,000 more rows, which are small without it.
        """
        field = opened.schema.vector(name)
        for part in opened.parts[:_LOOKED_PARTS]:
            after, limit, seen = "", 10, 0
            while seen < _LOOKED_ROWS:
                request = wire.listing(opened.schema, part, limit, [name], after=after)
                results = self._search(request, opened, part, timeout)
                for result in results:
                    found = wire.dimension_of(result, name, field.kind == "multi")
                    if found:
                        return found
                if len(results) < limit:
                    break
                if not seen and field.kind == "dense":
                    asked = self._dimension_of_index(opened, part, name, timeout)
                    if asked is not None:
                        return asked
                seen += len(results)
                after, limit = results[-1].metadata.id, 1000
        return None

    def _dimension_of_index(
        self, opened: Opened, part: str | None, name: str, timeout: float | None
    ) -> int | None:
        request = wire.listing(opened.schema, part, 1, [name])
        near(request, name, np.ones(1, np.float32).tobytes())
        try:
            results = self._search(request, opened, part, timeout)
        except PlumblineError as fault:
            found = re.search(r"(\d+) vs (\d+): vector lengths", fault.message)
            return max(int(found[1]), int(found[2])) if found is not None else None
        return wire.dimension_of(results[0], name, False) if results else None


def near(request: wire.SearchRequest, name: str, vector: bytes) -> None:
    """Make a request one for the neighbours of a dense float32 vector."""
    request.near_vector.SetInParent()
    if name:
        request.near_vector.targets.target_vectors.append(name)
        held = request.near_vector.vectors.add(name=name, vector_bytes=vector)
        held.type = stubs.base.Vectors.VECTOR_TYPE_SINGLE_FP32
    else:
        request.near_vector.vector_bytes = vector
