"""What Python's executors have workers do: the functions of functions.mjs."""

import time


def add(a, b):
    return a + b


def echo(value):
    return value


def length_of(array):
    return len(array)


def compute(ms):
    start = time.perf_counter()
    elapsed = 0.0
    while elapsed < ms / 1e3:
        elapsed = time.perf_counter() - start
    return elapsed * 1e3


def increment(x):
    return x + 1


def gcd(pair):
    a, b = pair
    for d in range(min(a, b), 0, -1):
        if a % d == 0 and b % d == 0:
            return d
    return 1


def lock_and_release(lock, count):
    for _ in range(count):
        lock.acquire()
        lock.release()


def put_all(items, count):
    for i in range(count):
        items.put(i)


def get_all(items, count):
    for _ in range(count):
        items.get()
