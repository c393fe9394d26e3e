# SPDX-License-Identifier: Apache-2.0
"""Deadlines for what tells nobody when it happens.

Prefer an event: a line of a log (Daemon.wait_line), a watch (Client.wait). `until` is for
programs that can only be asked.
"""

import time

STEP = 0.03


def until(question, timeout=20.0, what=None):
    """Asks until the answer is true and returns it; TimeoutError names `what` and the last answer.

    An OSError of the question counts as "not yet" (nothing listens there so far).
    """
    deadline = time.monotonic() + timeout
    while True:
        try:
            answer = question()
        except OSError as error:
            answer, last = None, repr(error)
        else:
            last = repr(answer)
        if answer:
            return answer
        if time.monotonic() > deadline:
            what = what or getattr(question, "__name__", "condition")
            raise TimeoutError(f"{what}: not within {timeout} s; last answer: {last[:2000]}")
        time.sleep(STEP)
