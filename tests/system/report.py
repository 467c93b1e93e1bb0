"""What is said of a run of tests: only what failed, unless asked for more."""
import time
import unittest


class Result(unittest.TestResult):
    """Says what failed as soon as it did, and how long the slowest took."""

    def __init__(self, verbose):
        super().__init__()
        self.verbose, self.passed, self.bad, self.times = verbose, 0, set(), []

    def startTest(self, test):
        super().startTest(test)
        self.begin = time.monotonic()

    def stopTest(self, test):
        super().stopTest(test)
        took = time.monotonic() - self.begin
        self.times.append((took, test.id()))
        if self.verbose:
            verdict = "FAIL" if test.id() in self.bad else "ok  "
            print(f"{took:7.2f} s {verdict} {test.id()}", flush=True)

    def addSuccess(self, test):
        self.passed += 1

    def complain(self, test, error, words=""):
        name = test.id()
        self.bad.add(name)
        text = self._exc_info_to_string(error, test)
        print(f"FAIL {name} {words}\n     {test.shortDescription() or ''}\n{text}", flush=True)

    def addFailure(self, test, err):
        self.complain(test, err)

    def addError(self, test, err):
        self.complain(test, err)

    def addSubTest(self, test, subtest, err):
        if err is not None:
            self.complain(test, err, subtest._subDescription())


def run(suite, verbose):
    """Run SUITE; the Result."""
    result = Result(verbose)
    suite.run(result)
    for took, name in sorted(result.times, reverse=True)[:5] if verbose else []:
        print(f"{took:7.2f} s {name}")
    return result
