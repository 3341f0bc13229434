"""The metrics of one queue's loop, every label child made before the first message."""

from typing import Any

from daemon.clock import Clock
from daemon.loop.ages import Ages
from daemon.loop.slots import Slots
from daemon.mailbox import Received
from daemon.metrics import Metrics
from schemas.queues import Queue

COMES_AGAIN = frozenset({"retry", "released"})
OUTCOMES = ("success", "retry", "poison", "duplicate", "released", "lease_lost")


class LoopFigures:
    """Counts and measures of one queue."""

    def __init__(self, metrics: Metrics, queue: Queue, clock: Clock, slots: Slots) -> None:
        self._clock = clock
        self._slots = slots

        def one(kind: str, name: str) -> Any:
            return getattr(metrics, kind)(f"consumer_{name}").labels(queue.value)

        def each(kind: str, name: str, *values: str) -> dict[str, Any]:
            metric = getattr(metrics, kind)(f"consumer_{name}")
            return {value: metric.labels(queue.value, value) for value in values}

        self._received = one("counter", "messages_received_total")
        self._messages = each("counter", "messages_total", *OUTCOMES)
        self._durations = each("histogram", "message_duration_seconds", *OUTCOMES)
        self._queue_wait = one("histogram", "queue_wait_seconds")
        self._receives = each("counter", "receives_total", "messages", "empty", "error")
        self._slot_states = each("gauge", "slots", "busy", "free")
        self._inflight = one("gauge", "inflight_messages")
        self._oldest = one("gauge", "inflight_oldest_seconds")
        self._extensions = each("counter", "visibility_extensions_total", "ok", "failed", "error")
        self._lost = one("counter", "leases_lost_total")
        self._remaining = one("gauge", "lease_remaining_seconds")
        self._acks = each("counter", "acks_total", "ok", "failed")
        self._ack_buffer = one("gauge", "ack_buffer")
        self._ack_delay = one("histogram", "ack_delay_seconds")
        self._last_poll = one("gauge", "last_poll_timestamp_seconds")
        self._last_success = one("gauge", "last_success_timestamp_seconds")
        self._paused = one("gauge", "paused")
        self._circuit = one("gauge", "circuit_state")
        self._released = one("counter", "released_on_shutdown_total")
        self._ages = Ages(clock)
        age = metrics.gauge("queue_oldest_message_age_seconds")
        age.labels(queue.value, "received").set_function(self._ages.oldest)
        one("gauge", "slots_configured").set(slots.total)
        self._slot_states["busy"].set_function(lambda: slots.busy)
        self._slot_states["free"].set_function(lambda: slots.free)

    def watch(self, in_hand: Any, began: Any) -> None:
        """Let the gauges of what is in hand ask for their values when they are read."""
        self._inflight.set_function(in_hand)
        self._oldest.set_function(began)

    def polled(self, messages: int) -> None:
        """Count a poll that was answered."""
        self._receives["messages" if messages else "empty"].inc()
        self._received.inc(messages)
        self._last_poll.set(self._clock.now().timestamp())

    def poll_failed(self) -> None:
        """Count a poll that was not answered."""
        self._receives["error"].inc()

    def waited(self, received: Received) -> None:
        """Measure how long a message lay in the queue."""
        self._ages.begin(received)
        if received.receives == 1:
            self._queue_wait.observe(max(0.0, self._clock.now().timestamp() - received.sent_at))

    def settled(self, outcome: str, seconds: float, received: Received) -> None:
        """Count what came of a message."""
        (self._ages.give_back if outcome in COMES_AGAIN else self._ages.end)(received)
        self._messages[outcome].inc()
        self._durations[outcome].observe(seconds)
        if outcome in ("success", "duplicate"):
            self._last_success.set(self._clock.now().timestamp())
        elif outcome == "lease_lost":
            self._lost.inc()

    def extended(self, result: str, count: int) -> None:
        """Count extensions."""
        self._extensions[result].inc(count)

    def lease_remaining(self, until: float | None) -> None:
        """Note the shortest time left; 0 when nothing is in hand."""
        self._remaining.set(0 if until is None else until - self._clock.monotonic())

    def acked(self, result: str, delay: float | None) -> None:
        """Count a deletion."""
        self._acks[result].inc()
        if delay is not None:
            self._ack_delay.observe(delay)

    def ack_buffer(self, count: int) -> None:
        """Note how many messages wait for their deletion."""
        self._ack_buffer.set(count)

    def rests(self, paused: float) -> None:
        """Note whether polling rests."""
        self._paused.set(paused)
        self._circuit.set(paused)

    def released(self, count: int) -> None:
        """Count messages given back at a stop."""
        self._released.inc(count)
