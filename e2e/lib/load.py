# SPDX-License-Identifier: Apache-2.0
"""Calls without pause, while a test changes something."""

import threading

from lib import wait


class Load:
    """Within the block each of `calls` is made again and again, in a thread of its own.

    A call is a function that returns (whether all was well, what was seen); one that raises
    OSError or ValueError has failed. `failed`: [(name of the call, what was seen)].
    """

    def __init__(self, *calls):
        self.done = {call: 0 for call in calls}
        self.failed = []
        self._over = threading.Event()
        self._threads = [threading.Thread(target=self._run, args=(call,)) for call in calls]

    def _run(self, call):
        while not self._over.is_set():
            try:
                good, seen = call()
            except (OSError, ValueError) as error:
                good, seen = False, error
            if not good:
                self.failed.append((call.__name__, repr(seen)))
            self.done[call] += 1

    @property
    def total(self):
        """Calls made so far."""
        return sum(self.done.values())

    def wait_calls(self, number):
        """Waits for so many more calls of each kind."""
        goal = {call: done + number for call, done in self.done.items()}
        wait.until(lambda: all(self.done[call] >= goal[call] for call in goal), 60,
                   f"{number} calls of each kind")

    def __enter__(self):
        for thread in self._threads:
            thread.start()
        self.wait_calls(5)
        return self

    def __exit__(self, *_):
        self._over.set()
        for thread in self._threads:
            thread.join()
