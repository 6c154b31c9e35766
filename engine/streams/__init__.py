"""The stream of activations: which runs want to be looked at, shared out fairly among workers.

The one rule: nothing here is truth. The stream may be emptied, restarted or away at any moment; what is lost is found
again from the database, and every call may be repeated without harm.

`contract` says what a stream promises to its users; `activations` keeps the promises on Redis. `buckets` is apart from
them: how often something may be done by all processes together. This package alone imports the driver of Redis.
"""

from engine.streams.activations import MINIMUM_VERSION, Streams
from engine.streams.buckets import Bucket, Buckets, Request
from engine.streams.contract import (
    COMMON,
    Activation,
    ActivationStream,
    DeadLetter,
    Depth,
    GroupLost,
    Lane,
    StreamsError,
    StreamsUnavailable,
)

__all__ = [
    "COMMON",
    "MINIMUM_VERSION",
    "Activation",
    "ActivationStream",
    "Bucket",
    "Buckets",
    "DeadLetter",
    "Depth",
    "GroupLost",
    "Lane",
    "Request",
    "Streams",
    "StreamsError",
    "StreamsUnavailable",
]
