"""Tables and the plot of tests/bench/lowttl."""
import math

# ---- tables, in Markdown


def table(columns, rows):
    """COLUMNS: (heading, format of a value)."""
    cells = [[heading for heading, _ in columns]]
    cells += [[form.format(value) for (_, form), value in zip(columns, row)] for row in rows]
    widths = [max(len(row[i]) for row in cells) for i in range(len(columns))]
    lines = ["| " + " | ".join(f"{cell:<{w}}" if i == 0 else f"{cell:>{w}}"
                               for i, (cell, w) in enumerate(zip(row, widths))) + " |"
             for row in cells]
    rule = "|".join("-" * (w + 1) + (":" if i else "-") for i, w in enumerate(widths))
    return "\n".join([lines[0], f"|{rule}|", *lines[1:]])


def percent(part, whole):
    return 100 * part / max(whole, 1)


LATENCY = [("", "{}"), ("gap s", "{:.0f}"), ("questions", "{}"), ("p50 ms", "{:.2f}"),
           ("p99 ms", "{:.1f}"), ("p99.9 ms", "{:.1f}"), ("over 5 ms", "{:.3f} %"),
           ("over 1 s", "{:.3f} %"), ("failed", "{}"), ("packets/question", "{:.2f}"),
           ("older than TTL", "{:.3f} %"), ("age p99 s", "{:.1f}"), ("oldest s", "{:.1f}")]


def latency_rows(results):
    for kind, result in results.items():
        for g in result["groups"]:
            yield (kind, g["gap_ms"] / 1000, g["asked"], g["p50_ms"], g["p99_ms"], g["p999_ms"],
                   percent(g["over_5ms"], g["asked"]), percent(g["over_1s"], g["asked"]),
                   g["failed"], g["packets"] / max(g["asked"], 1), percent(g["old"], g["answered"]),
                   g["age_p99_ms"] / 1000, g["oldest_ms"] / 1000)


CHANGES = [("", "{}"), ("median s", "{:.2f}"), ("p99 s", "{:.2f}"), ("longest s", "{:.1f}"),
           ("packets/s for a name", "{:.2f}"), ("over 5 ms", "{:.3f} %"), ("failed", "{}")]


def change_rows(results):
    for kind, result in results.items():
        g, = result["groups"]
        seconds = g["asked"] / 50 * g["gap_ms"] / 1000      # fifty names
        yield (kind, g["seen_p50_ms"] / 1000, g["seen_p99_ms"] / 1000, g["seen_max_ms"] / 1000,
               g["packets"] / 50 / max(seconds, 1), percent(g["over_5ms"], g["asked"]), g["failed"])


PROVIDER = [("", "{}"), ("cache", "{}"), ("packets to the provider/s", "{:.0f}"),
            ("dropped there", "{}"), ("of them", "{:.1f} %"), ("questions/s", "{:.0f}"),
            ("p99 of public names, ms", "{:.1f}")]


def each_phase(results):
    for kind, result in results.items():
        for phase, said in result.items():
            yield kind, phase, said


def provider_rows(results):
    for kind, phase, said in each_phase(results):
        seconds = max(len(said["seconds"]), 1)
        yield (kind, phase, said["came"] / seconds, said["dropped"],
               percent(said["dropped"], said["came"]),
               sum(g["asked"] for g in said["groups"]) / seconds, said["groups"][0]["p99_ms"])


def failure_table(results):
    """The share of questions without a good answer in two seconds, for each kind of names."""
    names = [g["name"].strip() for g in next(iter(results.values()))["cold"]["groups"]]
    columns = [("", "{}"), ("cache", "{}")] + [(name, "{:.2f} %") for name in names]
    return table(columns, [(kind, phase, *[percent(g["failed"], g["asked"]) for g in said["groups"]])
                           for kind, phase, said in each_phase(results)])


def tables(part, results):
    """Name and text of each table of PART, as it stands in docs/figures.md."""
    if part == "throttled":
        return {"provider": table(PROVIDER, provider_rows(results)), "failed": failure_table(results)}
    if part == "changes":
        return {"changes": table(CHANGES, change_rows(results))}
    return {part: table(LATENCY, latency_rows(results))}


def print_part(part, results):
    print(f"\n{part}\n")
    for name, text in tables(part, results).items():
        print(("\nFailed:\n\n" if name == "failed" else "") + text, flush=True)


# ---- the plot: a panel for each resolver, its latency in each second

WIDTH, HEIGHT, LEFT, TOP, GAP = 760, 74, 240, 46, 14
LOW_MS, HIGH_MS = 0.03, 2000.0
CURVES = [(3, "#d62728", "worst"), (2, "#ff9f1c", "99th percentile"), (1, "#1f77b4", "median")]


def height_of(us):
    ms = min(max(us / 1000, LOW_MS), HIGH_MS)
    return HEIGHT * (1 - math.log(ms / LOW_MS) / math.log(HIGH_MS / LOW_MS))


def panel(kind, seconds, top, end, warm):
    scale = WIDTH / max(end, 1)
    yield (f'<text x="{LEFT - 64}" y="{top + HEIGHT / 2 + 4:.0f}" text-anchor="end" '
           f'font-weight="bold">{kind}</text>')
    yield f'<rect x="{LEFT}" y="{top}" width="{warm * scale:.0f}" height="{HEIGHT}" fill="#f1f1f1"/>'
    for ms, label in (0.1, "0.1 ms"), (5, "5 ms"), (1000, "1 s"):
        y = top + height_of(ms * 1000)
        dash = "" if ms == 5 else ' stroke-dasharray="2 3"'
        yield f'<path d="M{LEFT} {y:.1f}h{WIDTH}" stroke="#bbb"{dash}/>'
        yield f'<text x="{LEFT - 6}" y="{y + 3:.1f}" text-anchor="end" fill="#555">{label}</text>'
    for index, colour, _ in CURVES:
        points = " ".join(f"{LEFT + (s[0] + 0.5) * scale:.0f},{top + height_of(s[index]):.0f}"
                          for s in seconds if s[0] < end)
        yield f'<polyline points="{points}" fill="none" stroke="{colour}"/>'
    yield f'<rect x="{LEFT}" y="{top}" width="{WIDTH}" height="{HEIGHT}" fill="none" stroke="#888"/>'


def plot(results, warm):
    """SVG text. Grey: the time before figures count. Names' first questions are left out."""
    end = max(s[0] for result in results.values() for s in result["seconds"])
    bottom = TOP + len(results) * (HEIGHT + GAP)
    lines = [f'<svg xmlns="http://www.w3.org/2000/svg" width="{LEFT + WIDTH + 20}" '
             f'height="{bottom + 24}" font-family="sans-serif" font-size="11">',
             '<rect width="100%" height="100%" fill="white"/>',
             f'<text x="{LEFT}" y="18" font-size="13">What clients wait for names with a TTL of 5 s '
             'behind a bad upstream, in each second</text>']
    for i, (_, colour, label) in enumerate(CURVES):
        lines.append(f'<path d="M{LEFT + 150 * i} 32h20" stroke="{colour}" stroke-width="2"/>'
                     f'<text x="{LEFT + 150 * i + 26}" y="36">{label}</text>')
    for i, (kind, result) in enumerate(results.items()):
        lines += panel(kind, result["seconds"], TOP + i * (HEIGHT + GAP), end, warm)
    for second in range(0, end + 1, 30):
        lines.append(f'<text x="{LEFT + second * WIDTH / end:.0f}" y="{bottom + 4}" '
                     f'text-anchor="middle">{second} s</text>')
    return "\n".join(lines + ["</svg>"]) + "\n"
