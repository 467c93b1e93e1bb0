"""Tests run class by class, and what is said of them: what failed, unless asked for more."""
import contextlib
import faulthandler
import itertools
import os
import signal
import sys
import time
import unittest

TEST_S = 300        # one that takes longer hangs: it fails, by its name, and the rest goes on


class Result(unittest.TestResult):
    """Says what failed as soon as it did, and how long the slowest took."""

    def __init__(self, verbose=False, seconds=TEST_S):
        super().__init__()
        self.verbose, self.seconds = verbose, seconds
        self.passed, self.bad, self.times, self.left_out = 0, {}, [], {}
        self.running = "nothing yet"
        self.is_over = False        # somebody has ended the run

    def run(self, tests):
        """Run TESTS, which share a set-up. unittest keeps in a result whose set-up holds, so that
        each such run has one of its own, which this one takes in."""
        one = Result(self.verbose, self.seconds)
        watch(one)
        one.running = f"the set-up of {unittest.util.strclass(type(tests[0]))}"
        try:
            signal.alarm(self.seconds)
            unittest.TestSuite(tests).run(one)
        finally:
            signal.alarm(0)
            self.take(one.passed, one.bad, one.left_out)
            self.times += one.times
            self.is_over = one.is_over

    def take(self, passed, bad, left_out):
        self.passed += passed
        for why, count in left_out.items():
            self.left_out[why] = self.left_out.get(why, 0) + count
        for name, cause in bad.items():
            self.bad.setdefault(name, cause)

    def startTest(self, test):
        super().startTest(test)
        self.running = test.id()
        self.begin = time.monotonic()
        signal.alarm(self.seconds)

    def stopTest(self, test):
        super().stopTest(test)
        signal.alarm(0)
        took = time.monotonic() - self.begin
        self.times.append((took, test.id()))
        if self.verbose:
            verdict = "FAIL" if test.id() in self.bad else "ok  "
            print(f"{took:7.2f} s {verdict} {test.id()}", flush=True)

    def addSuccess(self, test):
        self.passed += 1

    def addSkip(self, test, reason):
        self.left_out[reason] = self.left_out.get(reason, 0) + 1

    def complain(self, name, what, text, why="", cause=None):
        """NAME has failed: WHY it is there, the TEXT of the error and its CAUSE (or that is TEXT)."""
        self.bad.setdefault(name, (cause or text or "no reason told").strip().splitlines()[0])
        print(f"FAIL {name} {what}\n     {why}\n{text}", flush=True)

    def addFailure(self, test, err, what=""):
        self.complain(test.id(), what, self._exc_info_to_string(err, test),
                      test.shortDescription() or "", f"{err[0].__name__}: {err[1]}")

    addError = addFailure

    def addSubTest(self, test, subtest, err):
        if err is not None:
            self.addFailure(test, err, subtest._subDescription())


def classes(suite):
    """The tests of SUITE, class by class: lists of those that share a set-up."""
    def flat(tests):
        for test in tests:
            yield from flat(test) if isinstance(test, unittest.TestSuite) else [test]
    return [list(tests) for _, tests in itertools.groupby(flat(suite), type)]


def watch(result):
    """From now on a test that hangs fails, and who ends this program is told what it was at."""
    def hangs(*_):
        raise TimeoutError(f"{result.running} hangs: it has not ended in {result.seconds} s")

    def ended(*_):
        print(f"FAIL {result.running} ended from outside while it ran, here:", flush=True)
        faulthandler.dump_traceback(sys.stdout)
        result.bad.setdefault(result.running, "ended from outside while it ran")
        result.is_over = True
        raise KeyboardInterrupt     # the one exception that unittest lets through
    signal.signal(signal.SIGALRM, hangs)
    signal.signal(signal.SIGTERM, ended)


def run(groups, verbose, around=contextlib.nullcontext, seconds=TEST_S):
    """Run GROUPS (as of classes(), any iterable) to the Result. AROUND() is a context manager that
    cleans up after a class, however that ended; SECONDS are for one test or set-up."""
    result = Result(verbose, seconds)
    for tests in groups:
        try:
            with around():
                result.run(tests)
        except KeyboardInterrupt:
            pass
        except Exception as error:      # what cleans up has failed
            result.complain(unittest.util.strclass(type(tests[0])), "after its tests",
                            f"{type(error).__name__}: {error}")
        if result.is_over:
            break
    for took, name in sorted(result.times, reverse=True)[:5] if verbose else []:
        print(f"{took:7.2f} s {name}")
    return result


def progress_fds():
    """The descriptor that tests/run hands on for lines to who waits, for children to inherit."""
    return [int(os.environ["PROGRESS_FD"])] if "PROGRESS_FD" in os.environ else []


def progress(what):
    for fd in progress_fds():
        os.write(fd, f"  {what}\n".encode())


def close(result):
    """The last lines of a run: what failed first, and the counts. The exit status."""
    for name, cause in list(result.bad.items())[:1]:
        print(f"first failure: {name}: {cause}")
    for why, count in result.left_out.items():
        print(f"skipped {count}: {why}")
    print(f"{result.passed} passed, {len(result.bad)} failed")
    return 1 if result.bad or not result.passed else 0
