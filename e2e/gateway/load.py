# SPDX-License-Identifier: Apache-2.0
"""Calls without a pause, and what became of them."""

import threading

import hello
from world import connect, wait_for


class Load:
    """Calls from `callers` threads, until the block ends."""

    def __init__(self, port, callers=4, answers=(b"up\n",)):
        self.port = port
        self.answers = answers
        self.answered = 0
        self.failed = []
        self.ending = False
        self.going = threading.Event()
        self.going.set()
        self.threads = [threading.Thread(target=self._run, daemon=True) for _ in range(callers)]

    def _run(self):
        while not self.ending:
            self.going.wait()
            try:
                with connect(self.port) as connection:
                    connection.sendall(hello.openssl())
                    answer = connection.recv(100)
            except OSError as error:
                self.failed.append(repr(error))
                continue
            if answer in self.answers:
                self.answered += 1
            else:
                self.failed.append(answer)

    def wait_calls(self, more):
        goal = self.answered + more
        wait_for(lambda: self.answered >= goal or self.failed, "calls", 30)

    def __enter__(self):
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *failure):
        self.ending = True
        self.going.set()
        for thread in self.threads:
            thread.join(20)
