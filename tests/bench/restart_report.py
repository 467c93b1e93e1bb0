"""Tables of tests/bench/restart, as they stand in docs/figures.md."""
from lowttl_report import percent, table


def columns(*heads):
    return [tuple(head.split("|")) if "|" in head else (head, "{}") for head in heads]


def first_rows(results):
    for count, said in results["resolverd"].items():
        if count != "hits":
            each = f"{said['used'] / int(count):.0f}" if "used" in said else ""
            yield (int(count), each, *(said[how][key] for how in
                                       ("cached by the kernel", "read from the device")
                                       for key in ("ms", "worst_ms")))


def hit_rows(results):
    for what, said in results["resolverd"]["hits"].items():
        if isinstance(said, dict):
            label = "the same from memory" if "then" in what else "disk, " + what
            yield label, said["p50_ms"], said["p99_ms"], said["max_ms"]


def share_rows(results):
    for kind, hows in results.items():
        for how, said in hows.items():
            size = f"{said['disk_bytes']:.0f}" if said.get("disk_bytes") else ""
            yield (kind, how, said["first_ms"],
                   percent(said["asked"] - said["upstream"], said["asked"]), said["p50_ms"],
                   said["p99_ms"], size)


def down_rows(results):
    for kind, s in results.items():
        fresh_s = (s["last_old_ms"] + s["first_ms"]) / 1000
        until = "until the end" if s["last_old_ms"] > 19000 else f"{fresh_s:.1f}"   # of 20 s
        yield (kind, s["asked"], s["first_ms"], percent(s["asked"] - s["over_5ms"], s["asked"]),
               s["failed"], s["p50_ms"], s["p99_ms"], s["max_ms"], percent(s["old"], s["answered"]),
               until if s["old"] else "-")


def outage_rows(results):
    for kind, s in results.items():
        yield (kind, s["asked"], percent(s["asked"] - s["failed"], s["asked"]), s["p50_ms"],
               s["p99_ms"], s["p999_ms"], s["max_ms"])


def memory_rows(results):
    for what, s in results["resolverd"].items():
        yield (what, s["entries"], s["evictions"],
               *(v / (1 << 20) for v in (s["used"], s["before"], s["highest"],
                                         s["highest"] - s["before"], s["file"])))


def commit_rows(results):
    for key, value in results["resolverd"].items():
        yield key, f"{value:.3f}" if value < 10 else f"{value:.0f}"


# Part: name, columns and rows of each of its tables.
TABLES = {
    "first": [
        ("first", columns("stored names|{:,}", "bytes each on disk", "first answer ms|{:.0f}",
                          "worst|{:.0f}", "from the device ms|{:.0f}", "worst|{:.0f}"), first_rows),
        ("stored-hits", columns("hits", "p50 ms|{:.2f}", "p99 ms|{:.2f}", "longest ms|{:.1f}"),
         hit_rows)],
    "share": [
        ("share", columns("", "ended by", "first answer ms|{:.0f}",
                          "without a packet upstream|{:.2f} %", "p50 ms|{:.2f}", "p99 ms|{:.2f}",
                          "bytes on disk/name"), share_rows)],
    "down": [
        ("down", columns("", "questions", "first answer ms|{:.0f}", "under 5 ms|{:.2f} %", "failed",
                         "p50 ms|{:.2f}", "p99 ms|{:.1f}", "longest ms|{:.1f}",
                         "older than TTL|{:.2f} %", "all fresh after s"), down_rows)],
    "outage": [
        ("outage", columns("", "questions", "answered|{:.2f} %", "p50 ms|{:.2f}", "p99 ms|{:.2f}",
                           "p99.9 ms|{:.2f}", "longest ms|{:.2f}"), outage_rows)],
    "memory": [
        ("filled", columns("cache.memory", "names|{:,}", "evicted|{:,}", "counted|{:.1f}",
                           "resident before|{:.1f}", "at most|{:.1f}", "grown by|{:.1f}",
                           "of files|{:.1f}"), memory_rows)],
    "commit": [
        ("commit", columns("a second, of 10,000 hot names", "resolverd"), commit_rows)],
}


def tables(part, results):
    """Name and text of each table of PART."""
    return {name: table(heads, rows(results)) for name, heads, rows in TABLES[part]}


def print_part(part, results):
    print(f"{part}\n")
    for text in tables(part, results).values() if results else []:
        print(text + "\n", flush=True)
    if part == "first" and results:
        print({k: v for k, v in results["resolverd"]["hits"].items() if not isinstance(v, dict)}, "\n")
