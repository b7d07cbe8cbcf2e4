"""Python's executors, in those cases that there are for them: python.py MODULE KIND CASES quick|full."""

import concurrent.futures
import json
import os
import queue
import statistics
import sys
import threading
import time

from python_functions import add, compute, echo, gcd, get_all, increment, length_of, lock_and_release, put_all

OBJECT = {
    "id": 12345, "name": "widget-17", "price": 12.75, "tags": ["a", "bc"], "active": True, "note": "short text here",
}
PAGE = {"page": 1, "rows": [{**OBJECT, "id": i} for i in range(100)]}
PAIRS = [(1231312, 434344), (2013123, 111110), (34423323, 123123), (234345, 345345)]
FLOATS = (1 << 20) // 8
TICK_MS = 10


def say(**line):
    print(json.dumps(line), flush=True)


def make(kind, workers):
    if kind == "processes":
        return concurrent.futures.ProcessPoolExecutor(max_workers=workers)
    return concurrent.futures.ThreadPoolExecutor(max_workers=workers)


def warm(kind, workers):
    pool = make(kind, workers)
    concurrent.futures.wait([pool.submit(compute, 5) for _ in range(workers)])
    return pool


def timed(run):
    start = time.perf_counter()
    run()
    return time.perf_counter() - start


def repeated(times, run):
    run()
    return statistics.median(run() for _ in range(times))


def percentile(values, percent):
    return sorted(values)[min(len(values) - 1, len(values) * percent // 100)]


def burst(pool, count):
    return timed(lambda: [future.result() for future in [pool.submit(add, 3, 4) for _ in range(count)]])


def in_flight(pool, count, width, fn, *args):
    def run():
        pending = set()
        for _ in range(count):
            if len(pending) == width:
                _, pending = concurrent.futures.wait(pending, return_when=concurrent.futures.FIRST_COMPLETED)
            pending.add(pool.submit(fn, *args))
        concurrent.futures.wait(pending)

    return timed(run)


def one_by_one(pool, count, fn, *args):
    return [timed(lambda: pool.submit(fn, *args).result()) for _ in range(count)]


def family():
    parents = {}
    for name in filter(str.isdigit, os.listdir("/proc")):
        try:
            parents[int(name)] = int(fields_of(name)[1])
        except OSError:
            pass
    found = [os.getpid()]
    for pid in found:
        found += [child for child, parent in parents.items() if parent == pid]
    return found


def fields_of(pid):
    with open(f"/proc/{pid}/stat") as file:
        return file.read().rpartition(")")[2].split()


def processor_ms():
    return sum((int(fields[11]) + int(fields[12])) * TICK_MS for fields in map(fields_of, family()))


def resident_bytes():
    total = 0
    for pid in family():
        with open(f"/proc/{pid}/status") as file:
            total += next(int(line.split()[1]) * 1024 for line in file if line.startswith("VmRSS"))
    return total


def run_burst(kind, quick, workers):
    count = 500 if quick else 20_000
    with warm(kind, workers) as pool:
        return count / repeated(1 if quick else 2, lambda: burst(pool, count))


def run_flight(kind, quick):
    count = 500 if quick else 5_000
    with warm(kind, 1) as pool:
        return {f"of{width}": count / in_flight(pool, count, width, add, 3, 4) for width in (64, 512)}


def run_single(kind, quick):
    count = 100 if quick else 2_000
    with warm(kind, 1) as pool:
        one_by_one(pool, count // 2, add, 3, 4)
        times = one_by_one(pool, count, add, 3, 4)
    return {"p50": percentile(times, 50) * 1e6, "p99": percentile(times, 99) * 1e6}


def run_added(kind, quick):
    def measure(pool, ms, times):
        added = []
        for _ in range(2 if quick else times):
            start = time.perf_counter()
            computed_ms = pool.submit(compute, ms).result()
            added.append((time.perf_counter() - start) * 1e3 - computed_ms)
        return statistics.median(added)

    with warm(kind, 1) as pool:
        return {f"of{ms}": measure(pool, ms, times) for ms, times in ((1, 50), (5, 20), (20, 10), (50, 7))}


def run_idle(kind, quick):
    with warm(kind, 2) as pool:
        burst(pool, 500)
        time.sleep(0.05 if quick else 0.3)
        before = processor_ms()
        scale = 20 if quick else 1
        time.sleep(2 / scale)
        return {"cpu": (processor_ms() - before) * scale}


def run_gcd(kind, quick):
    pairs = PAIRS * (1 if quick else 10)  # A tenth: a plain loop takes that much longer here.
    in_loop = lambda: timed(lambda: [gcd(pair) for pair in pairs])
    linear = repeated(1 if quick else 3, in_loop)
    with warm(kind, 2) as pool:
        hot = repeated(1 if quick else 3, lambda: timed(lambda: list(pool.map(gcd, pairs))))

    def with_start():
        with make(kind, 2) as pool:
            list(pool.map(gcd, pairs))

    return {"warm": linear / hot, "cold": linear / timed(with_start), "linear": linear * 1e3}


def run_map(kind, quick):
    count = 10_000 if quick else (1_000_000 if kind == "processes" else 100_000)
    with warm(kind, 2) as pool:
        seconds = repeated(1, lambda: timed(lambda: list(pool.map(increment, range(count), chunksize=1_000))))
    return {"rate": count / seconds}


def run_objects(kind, quick):
    count = 200 if quick else 5_000
    few = count // 10
    with warm(kind, 1) as pool:
        return {
            "small": count / in_flight(pool, count, 64, echo, OBJECT),
            "large": few / in_flight(pool, few, 64, echo, PAGE),
            "one": statistics.median(one_by_one(pool, few, echo, PAGE)) * 1e6,
        }


def run_mebibyte(kind, quick):
    import array

    floats = array.array("d", [1.5]) * FLOATS
    with warm(kind, 1) as pool:
        times = one_by_one(pool, 5 if quick else 200, length_of, floats)
    return {"copied" if kind == "processes" else "shared": statistics.median(times) * 1e6}


def run_start(kind, quick):
    times = []
    for _ in range(2 if quick else 6):
        start = time.perf_counter()
        pool = make(kind, 1)
        pool.submit(add, 3, 4).result()
        times.append((time.perf_counter() - start) * 1e3)
        pool.shutdown()
    return {"first": times[0], "later": statistics.median(times[1:])}


def run_end(kind, quick):
    pool = warm(kind, 2)
    say(endsAtMs=time.time() * 1e3)
    pool.shutdown()
    return {}


def run_memory(kind, quick):
    before = resident_bytes()
    with warm(kind, 4) as pool:
        burst(pool, 100)
        return {"worker": (resident_bytes() - before) / 4 / 1e6}


def run_pending(kind, quick):
    figures = {}
    with warm(kind, 1) as pool:
        burst(pool, 100)
        for count in (10, 1_000) if quick else (10, 1_000, 100_000):
            times = [burst(pool, count) for _ in range(min(9, max(1, 10_000 // count)))]
            figures[f"of{count}"] = statistics.median(times) * 1e6 / count
            if figures[f"of{count}"] * count * 100 > 6e6:
                break
    return figures


def run_workers(kind, quick):
    counts = (1, 4) if quick else (1, 2, 4, 8, 16)
    figures = {f"of{count}": run_burst(kind, quick, count) for count in counts}
    return {**figures, "worst": min(figures.values()) / max(figures.values())}


def run_lock(kind, quick):
    count = 10_000 if quick else 200_000
    lock = threading.Lock()
    alone = repeated(3, lambda: timed(lambda: lock_and_release(lock, count)))

    def fight():
        threads = [threading.Thread(target=lock_and_release, args=(lock, count)) for _ in range(2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    return {"blocking": alone / count * 1e9, "fight": 2 * count / timed(fight)}


def run_queue(kind, quick):
    count = 5_000 if quick else 100_000

    def one_pass():
        items = queue.Queue(1024)
        producer = threading.Thread(target=put_all, args=(items, count))
        producer.start()
        get_all(items, count)
        producer.join()

    return {"blocking": count / repeated(2, lambda: timed(one_pass))}


CASES = {
    "burst": lambda kind, quick: {"rate": run_burst(kind, quick, 1)},
    "burst2": lambda kind, quick: {"rate": run_burst(kind, quick, 2)},
    "flight": run_flight, "single": run_single, "added": run_added, "idle": run_idle, "gcd": run_gcd, "map": run_map,
    "objects": run_objects, "mebibyte": run_mebibyte, "start": run_start, "end": run_end, "memory": run_memory,
    "pending": run_pending, "workers": run_workers, "lock": run_lock, "queue": run_queue,
}

if __name__ == "__main__":
    _, _, kind, names, mode = sys.argv
    for name in names.split(","):
        if name not in CASES:
            continue
        say(begins=name)
        try:
            say(case=name, figures=CASES[name](kind, mode == "quick"))
        except Exception as error:
            say(case=name, failed=repr(error))
    say(over=True)
