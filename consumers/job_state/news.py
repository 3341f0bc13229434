"""What reading a chunk's output brought that nobody has been told yet."""

from collections import Counter
from decimal import Decimal

from consumers.core.cost import on_demand_cost
from consumers.core.lifecycle import ChunkState
from consumers.core.rows import Chunk, Spent
from consumers.core.world import World
from consumers.job_state.intake import day_of_price
from schemas.facts import Fact, MoneySpent, RecordsJudged


class Told:
    """What was told of a chunk so far.

    Nothing before its first end; at a late reading, what the store held when the chunk had failed.
    """

    def __init__(self, chunk: Chunk, world: World) -> None:
        self.chunk, self.world = chunk, world
        late = chunk.state is ChunkState.FAILED
        self._outcomes = world.store.outcomes(chunk.chunk_id) if late else {}
        self._spent = world.store.spent(chunk.chunk_id) if late else Spent()
        self._bought = world.store.bought(chunk.chunk_id) if late else Spent()

    def news(self) -> tuple[Fact, ...]:
        """Return the outcomes, tokens and money that the store has gained since."""
        counts = Counter(self.world.store.outcomes(self.chunk.chunk_id))
        counts.subtract(self._outcomes)
        judged = [RecordsJudged(self.chunk.chunk_id, *kind, n) for kind, n in counts.items() if n > 0]
        return (*judged, self._money()) if judged else ()

    def _money(self) -> MoneySpent:
        """Return what was gained; a cost told as unknown was counted as nothing."""
        old, new = self._spent, self.world.store.spent(self.chunk.chunk_id)
        cost = None if new.cost_usd is None else new.cost_usd - (old.cost_usd or 0)
        return MoneySpent(
            self.chunk.chunk_id,
            self.chunk.model,
            new.input_tokens - old.input_tokens,
            new.output_tokens - old.output_tokens,
            cost,
            self._on_demand(),
        )

    def _on_demand(self) -> Decimal | None:
        """Price what was gained on demand, where nobody would need padding."""
        model = self.world.models.find(self.chunk.model)
        if model is None:
            return None
        old, new = self._bought, self.world.store.bought(self.chunk.chunk_id)
        tokens = (new.input_tokens - old.input_tokens, new.output_tokens - old.output_tokens)
        return on_demand_cost(model, *tokens, day_of_price(self.chunk, self.world))
