"""The two plots of docs/detection-behaviour.md, made by ./bench behaviour from what it measured."""

import math

from plot import BLACK, BLUE, GREY, LIGHT, ORANGE, Canvas


def poisson_interval(count):
    """About 95 % around a count; 3 above nothing at all."""
    if count == 0:
        return 0.0, 3.0
    low = count * (1 - 1 / (9 * count) - 1.96 / (3 * math.sqrt(count))) ** 3
    more = count + 1
    return max(low, 0.0), more * (1 - 1 / (9 * more) + 1.96 / (3 * math.sqrt(more))) ** 3


def plot_calibration(lines, path):
    """lines: name -> [(claimed p, times that p lay below it, of so many)]. Both axes logarithmic; on the diagonal a claim is true."""
    canvas = Canvas(760, 560)
    left, right, top, bottom = 130, 720, 60, 480
    low, high = -5.0, 0.0

    def place(x, y):
        part = lambda v: (min(max(math.log10(max(v, 1e-9)), low), high) - low) / (high - low)
        return left + part(x) * (right - left), bottom - part(y) * (bottom - top)

    canvas.text(left, 20, "how often p came to pass, outside of episodes")
    for decade in range(int(low), int(high) + 1):
        x, y = place(10.0 ** decade, 10.0 ** decade)
        canvas.line(x, top, x, bottom, LIGHT)
        canvas.line(left, y, right, y, LIGHT)
        name = "1" if decade == 0 else f"{10.0 ** decade:.{-decade}f}"
        canvas.text(left - 10, int(y) - 7, name, GREY, 2, "right")
        canvas.text(int(x), bottom + 12, name if decade > -4 else f"1E{decade}", GREY, 2, "middle")
    canvas.line(*place(10 ** low, 10 ** low), *place(1, 1), GREY, 2)
    for k, (name, points) in enumerate(lines.items()):
        colour = (BLUE, ORANGE)[k % 2]
        last = None
        for claimed, below, count in points:
            x, y = place(claimed, max(below, 0.3) / count)
            x += 6 * k
            low_count, high_count = poisson_interval(below)
            canvas.line(x, place(claimed, low_count / count)[1], x, place(claimed, high_count / count)[1], colour, 2)
            canvas.box(x - 4, y - 4, x + 6, y + 6, colour)
            if last:
                canvas.line(*last, x, y, colour)
            last = (x, y)
        canvas.box(left + 30, top + 20 + 30 * k, left + 46, top + 34 + 30 * k, colour)
        canvas.text(left + 58, top + 20 + 30 * k, name + " series", BLACK)
    canvas.text((left + right) // 2, bottom + 45, "claimed p below", BLACK, 2, "middle")
    canvas.save(path)


def plot_found(rates, path):
    """rates: threshold -> kind -> (found, of). Two bars a kind, the stricter threshold darker and in front."""
    kinds = sorted(rates["low"], key=lambda kind: -rates["low"][kind][0] / rates["low"][kind][1])
    canvas = Canvas(760, 90 + 30 * len(kinds))
    left, right = 190, 640
    canvas.text(left, 20, "made-up episodes that are found, at 5.5 and 4.2")
    for share in range(0, 101, 25):
        x = left + (right - left) * share / 100
        canvas.line(x, 55, x, 60 + 30 * len(kinds), LIGHT)
        canvas.text(int(x), 66 + 30 * len(kinds), f"{share}%", GREY, 2, "middle")
    for row, kind in enumerate(kinds):
        y = 62 + 30 * row
        canvas.text(left - 12, y + 3, kind, BLACK, 2, "right")
        for name, colour, inset in (("low", (158, 190, 226), 0), ("medium", BLUE, 5)):
            found, of = rates[name][kind]
            canvas.box(left, y + inset, left + (right - left) * found / of, y + 20 - inset, colour)
        found, of = rates["low"][kind]
        canvas.text(right + 14, y + 3, f"{found}/{of}", GREY)
    canvas.save(path)
