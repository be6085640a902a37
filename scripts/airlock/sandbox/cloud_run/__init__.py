"""Cloud Run Admin API v2 on loopback, for the unmodified google-cloud-run client.

To learn how Cloud Run behaves, read in this order:

1. `validation`, `names`, `masks`: what a write may say, and which of its fields count;
2. `spec`: what a write does at once;
3. `routing`, `conditions`: when traffic moves, and how success and failure are told;
4. `reconciler`: what happens later, and in which order;
5. `faults`: what can go wrong.

`control_plane` has the methods, `calls` the table of them, `rest` and `grpc_server` the transports,
`store` the disk, `admin` the sandbox's own controls.
"""

from __future__ import annotations

from airlock.sandbox.cloud_run.faults import Fault, Faults
from airlock.sandbox.cloud_run.reconciler import Pace
from airlock.sandbox.cloud_run.spec import Behaviour
from airlock.sandbox.cloud_run.stand_in import CloudRunStandIn
from airlock.sandbox.cloud_run.store import Target, WriteRecord

__all__ = [
    "Behaviour",
    "CloudRunStandIn",
    "Fault",
    "Faults",
    "Pace",
    "Target",
    "WriteRecord",
]
