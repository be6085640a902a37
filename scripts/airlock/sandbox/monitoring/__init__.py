"""Cloud Monitoring on loopback: `stand_in` serves, `query` computes."""

from __future__ import annotations

from airlock.sandbox.monitoring.stand_in import DELAY, MonitoringStandIn, delay_of

__all__ = ["DELAY", "MonitoringStandIn", "delay_of"]
