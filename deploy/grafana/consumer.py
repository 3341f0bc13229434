"""One consumer from inside: slots, lease, acknowledgements, process. Drawn for each process apart."""

from deploy.grafana.panel import Dashboard, Row, Variable, graph, quantile, table

Q = '{queue=~"$queue"}'
RATE = "[$__rate_interval]"
WHO = "{{queue}} {{instance}}"

LOOP = Row(
    "Slots and polling",
    (
        graph(
            "Slots",
            "short",
            "Busy ones and how many there are.",
            ('novabatch_consumer_slots{state="busy", queue=~"$queue"}', f"{WHO} busy"),
            (f"novabatch_consumer_slots_configured{Q}", f"{WHO} all"),
        ),
        graph(
            "Oldest message in hand",
            "s",
            "Grows without end where a handler is stuck.",
            (f"novabatch_consumer_inflight_oldest_seconds{Q}", WHO),
        ).to("MessageStuck"),
        graph(
            "Polls by result",
            "ops",
            "Empty ones cost money too.",
            (
                f"sum by (queue, result) (rate(novabatch_consumer_receives_total{Q}{RATE}))",
                "{{queue}} {{result}}",
            ),
        ).to("PollErrors", "EmptyReceivesHigh"),
        graph(
            "Since the last poll",
            "s",
            "Over two minutes: stalled, paused, or all slots busy.",
            (f"time() - (novabatch_consumer_last_poll_timestamp_seconds{Q} > 0)", WHO),
        ).to("ConsumerStalled"),
        graph(
            "Polling rests",
            "short",
            "1 while what the stages need is down.",
            (f"novabatch_consumer_paused{Q}", WHO),
        ).to("CircuitOpen"),
        graph(
            "Wait in the queue",
            "s",
            "95th percentile from sending to first receipt.",
            (
                quantile(0.95, f"novabatch_consumer_queue_wait_seconds_bucket{Q}", ", queue"),
                "{{queue}}",
            ),
        ).to("FreshnessBudgetBurnFast", "FreshnessBudgetBurnSlow"),
    ),
)

LEASE = Row(
    "Lease and acknowledgement",
    (
        graph(
            "Lease remaining",
            "s",
            "Shortest time left at the last heartbeat.",
            (f"novabatch_consumer_lease_remaining_seconds{Q}", WHO),
        ).to("LeaseLost"),
        graph(
            "Extensions",
            "ops",
            "By result.",
            (
                f"sum by (queue, result) (rate(novabatch_consumer_visibility_extensions_total{Q}{RATE}))",
                "{{queue}} {{result}}",
            ),
        ).to("VisibilityExtensionFailing", "LeaseLost"),
        graph(
            "Leases lost in the last hour",
            "short",
            "Lost in the middle of work.",
            (f"sum by (queue) (increase(novabatch_consumer_leases_lost_total{Q}[1h]))", "{{queue}}"),
        ).to("LeaseLost"),
        graph(
            "Deletions",
            "ops",
            "By result.",
            (
                f"sum by (queue, result) (rate(novabatch_consumer_acks_total{Q}{RATE}))",
                "{{queue}} {{result}}",
            ),
        ).to("AckFailures"),
        graph(
            "Waiting for deletion",
            "short",
            "Messages in the buffer.",
            (f"novabatch_consumer_ack_buffer{Q}", WHO),
        ),
        graph(
            "Delay of deletion",
            "s",
            "95th percentile from outcome to deletion.",
            (
                quantile(0.95, f"novabatch_consumer_ack_delay_seconds_bucket{Q}", ", queue"),
                "{{queue}}",
            ),
        ),
    ),
)

PROCESS = Row(
    "Process",
    (
        graph(
            "CPU",
            "percentunit",
            "Share of one core.",
            (f'rate(process_cpu_seconds_total{{job="novabatch"}}{RATE})', "{{instance}}"),
        ),
        graph(
            "Memory", "bytes", "Resident.", ('process_resident_memory_bytes{job="novabatch"}', "{{instance}}")
        ),
        graph(
            "Open files",
            "short",
            "And how many may be open is process_max_fds.",
            ('process_open_fds{job="novabatch"}', "{{instance}}"),
        ),
        table(
            "Versions",
            "short",
            "Processes of each version; two only during a deployment.",
            "count by (consumer, version, python) (novabatch_build_info)",
            "consumer",
            "version",
            "python",
            "processes",
        ).to("ConsumerVersionSkew"),
        graph(
            "Given back at a stop",
            "short",
            "Messages in the last hour.",
            (f"sum by (queue) (increase(novabatch_consumer_released_on_shutdown_total{Q}[1h]))", "{{queue}}"),
        ),
    ),
)

CONSUMER = Dashboard(
    "novabatch-consumer",
    "novabatch: consumer detail",
    (LOOP, LEASE, PROCESS),
    (Variable("queue", "novabatch_consumer_slots_configured"),),
)
