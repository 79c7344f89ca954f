"""Stands in for svpy.native.loggers: hosts loggers that write what they read to FOLDER/current, no more.

The last word of a script is its folder. Signals and reports are as core/nativewire.py has them."""

import _signal as signal
import fcntl
import os
import select

from svpy.core import nativewire
from svpy.system.passing import Channel


class Logger:
    def __init__(self, name, pipe_fd, start_fd, words):
        self.name = name
        self.pipe_fd = pipe_fd
        self.paused = False
        self.held_back = []
        folder = words[-1]
        try:
            os.mkdir(folder, 0o700, dir_fd=start_fd)
        except FileExistsError:
            pass
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC
        self.lock_fd = os.open(folder + b"/lock", flags, 0o600, dir_fd=start_fd)
        try:
            fcntl.flock(self.lock_fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            self.current_fd = os.open(folder + b"/current", flags, 0o600, dir_fd=start_fd)
        except OSError:
            os.close(self.lock_fd)
            raise


class Loggers:
    def __init__(self, socket_fd, orders, reports):
        self.heard = []
        self.wake_fd, wake_write_fd = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        signal.set_wakeup_fd(wake_write_fd)
        for number in (signal.SIGTERM, signal.SIGALRM):
            signal.signal(number, lambda number, frame: self.heard.append(number))
        self.channel = Channel(socket_fd)
        self.orders_fd, self.report_fd = orders[0], reports[1]
        self.loggers = {}
        self.poll = select.poll()
        for fd in (self.channel.fd, self.orders_fd, self.wake_fd):
            self.poll.register(fd, select.POLLIN)

    def run(self):
        while self.channel.fd >= 0 or self.loggers:
            for fd, _ in self.poll.poll():
                if fd == self.channel.fd:
                    self.message()
                elif fd == self.orders_fd:
                    for name, number in nativewire.records(os.read(fd, 4096)):
                        self.signal(name, number)
                elif fd == self.wake_fd:
                    os.read(fd, 4096)
                    while self.heard:
                        number = self.heard.pop()
                        for name in tuple(self.loggers):
                            self.signal(name, number)
                else:
                    self.read(fd)
        return 0

    def message(self):
        try:
            data, fds = self.channel.receive()
        except ConnectionError:
            data = b""
        if not data:
            self.poll.unregister(self.channel.fd)
            self.channel.close()
            return
        kind, name, *rest = nativewire.decode(data)
        if kind == nativewire.SIGNAL:
            self.signal(name, *rest)
            return
        try:
            logger = Logger(name, *fds, rest[0])
        except OSError:
            os.write(2, b"multilog: fatal: unable to lock directory " + rest[0][-1] + b"\n")
            os.close(fds[0])
            self.report(name, 111 << 8)
        else:
            self.loggers[name] = logger
            self.poll.register(logger.pipe_fd, select.POLLIN)
        os.close(fds[1])

    def report(self, name, status):
        os.write(self.report_fd, nativewire.record(name, status))

    def end(self, logger, status):
        if not logger.paused:
            self.poll.unregister(logger.pipe_fd)
        for fd in (logger.pipe_fd, logger.current_fd, logger.lock_fd):
            os.close(fd)
        del self.loggers[logger.name]
        self.report(logger.name, status)

    def signal(self, name, number):
        logger = self.loggers.get(name)
        if logger is None or number in (signal.SIGCHLD, signal.SIGWINCH):
            return
        if number == signal.SIGSTOP and not logger.paused:
            logger.paused = True
            self.poll.unregister(logger.pipe_fd)
        elif number == signal.SIGCONT and logger.paused:
            logger.paused = False
            self.poll.register(logger.pipe_fd, select.POLLIN)
            if logger.held_back:
                self.end(logger, 0)
        elif number in (signal.SIGSTOP, signal.SIGCONT, signal.SIGALRM):
            return
        elif number == signal.SIGTERM:
            if logger.paused:
                logger.held_back.append(number)
            else:
                self.end(logger, 0)
        else:
            self.end(logger, number)

    def read(self, fd):
        logger = next((each for each in self.loggers.values() if each.pipe_fd == fd), None)
        if logger is None:
            return
        data = os.read(fd, 65536)
        if data:
            os.write(logger.current_fd, data)
        else:
            self.end(logger, 0)


def serve(socket_fd, orders, reports):
    return Loggers(socket_fd, orders, reports).run()
