"""What models cost in a workspace: what it has set itself, and what counts where it has set nothing.

The one rule: asked anew for each call of a model, of the workspace's stream; a price that was set counts at once.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple, get_args

from immutables import Map

from engine.core import prices as pr
from engine.core import workspace_events as w
from engine.core.events.base import Actor
from engine.prices import Prices
from engine.store import Log, from_text
from engine.workspace import Workspace

_PRICE_EVENTS = frozenset(one.type for one in get_args(w.PriceEvent))


class Priced(NamedTuple):
    """A model (``provider:name`` or ``provider:*``), its price (None: nobody knows it), where that is from, and who has
    set it for the workspace, if anybody has.
    """

    model: str
    price: pr.Price | None
    source: str
    own: pr.OwnPrice | None


class PriceBook:
    """What people of one workspace set and ask; ``general`` are the prices that count for all."""

    def __init__(self, workspace: Workspace, general: Prices) -> None:
        self._workspace = workspace
        self._general = general

    async def now(self) -> Prices:
        """Those that count here."""
        return self._general.within(pr.amounts((await self._workspace.state()).prices))

    async def set(self, model: str, price: pr.Price, *, by: Actor, reason: str = "") -> bool:
        """Let this be the price from the next call on; whether that is new. Raises ``WorkspaceRefused``."""
        return bool(await self._workspace.submit(lambda _: pr.SetPrice(model, price, by, reason)))

    async def unset(self, model: str, *, by: Actor, reason: str = "") -> None:
        """Take the workspace's own price away. Raises ``WorkspaceRefused`` where it has none."""
        await self._workspace.submit(lambda _: pr.UnsetPrice(model, by, reason))

    async def shown(self, models: Iterable[str]) -> list[Priced]:
        """What these cost, and all that have a price that is no list's, by name."""
        prices, own = await self.now(), (await self._workspace.state()).prices
        names = sorted({*models, *prices.own, *prices.workspace})
        return [Priced(one, prices.of(one), prices.source(one), own.get(one)) for one in names]


class Tariffs:
    """The own prices of all workspaces, for the steps that this process runs."""

    def __init__(self, store: Log) -> None:
        self._store = store
        self._read: dict[str, tuple[int, pr.OwnPrices]] = {}

    async def own(self, workspace: str) -> Mapping[str, pr.Price]:
        """By ``provider:model`` or ``provider:*``, as they are now. Raises ``UnknownEvent`` for a newer release's."""
        seq, known = self._read.get(workspace, (0, Map[str, pr.OwnPrice]()))
        said, head = await self._store.load_said(workspace, seq)
        for one in said:
            event = w.decode(one.type, one.version, one.payload) if one.type in _PRICE_EVENTS else None
            if isinstance(event, w.PriceEvent):
                known = pr.evolve(known, from_text(one.at), event)
        self._read[workspace] = (head.seq, known)
        return pr.amounts(known)
