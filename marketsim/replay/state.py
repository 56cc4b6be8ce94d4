"""State of a replay: the records that its compiled functions work on, and the numbers they answer. No logic."""

from __future__ import annotations

import numpy as np

PROGRESS = np.dtype(
    [
        ("row", np.int64),  # the event at work
        ("nothing", np.int64),  # always 0
        ("stage", np.int64),
        ("planned", np.int64),  # requests written
        ("sent", np.int64),  # requests that the core has answered
        ("entry", np.int64),  # next entry
        ("orders", np.int64),  # of the tape; orders above are ours
        ("next_id", np.int64),
        ("seeds", np.int64),  # orders without recorded arrival
        ("opening", np.int64),
        # what the report counts
        ("observations", np.int64),
        ("entered", np.int64),
        ("entered_equal", np.int64),
        ("mismatches", np.int64),
        ("mismatches_kept", np.int64),
        ("cleared", np.int64),
        ("instead", np.int64),
        ("left_over", np.int64),
        ("lacking", np.int64),
        ("crossed", np.int64),
        ("refused", np.int64),
        ("executions", np.int64),
        ("elsewhere", np.int64),
        ("known", np.int64),
        ("known_first", np.int64),
        ("known_queued", np.int64),
        ("known_queued_first", np.int64),
        ("unseen_first", np.int64),
        ("exceptions", np.int64),
        ("queue", np.int64),  # orders at the best price when an execution is sent
        ("position", np.int64),  # of the recorded order among them; -1 where the core does not hold it
    ]
)
MISMATCH = np.dtype(
    [
        ("row", np.int64),
        ("side", np.int64),
        ("level", np.int64),  # from 1 on
        ("recorded_price", np.int64),
        ("recorded_quantity", np.int64),
        ("price", np.int64),
        ("quantity", np.int64),
    ]
)
EXCEPTION = np.dtype(
    [
        ("row", np.int64),
        ("order_id", np.int64),  # executed in the record
        ("first", np.int64),  # executed first by the core; 0 for none
        ("cause", np.int64),
        ("related", np.int64),  # event from which this one follows; -1 for none
        ("position", np.int64),
        ("queue", np.int64),
        ("quantity", np.int64),
    ]
)
SHORT_OF_REQUESTS, SHORT_OF_EXCEPTIONS = -101, -102
DONE = 0
FOLLOWS, OLDER, JUMPED, UNPLACED, CHANGED, LOST, NOTHING = 1, 2, 3, 4, 5, 6, 7  # causes of exceptions
BOOK_OWNER, TAKER = 0, 1  # participants: whoever rests orders, whoever takes them
