"""Work ahead: threads that do pieces of work before a loop asks for them, in order, so many ahead and no more."""

from collections import deque
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")


def work_ahead(
    work: Callable[[Item], Result], items: Iterable[Item], *, threads: int, ahead: int, name: str
) -> Generator[Result, None, None]:
    """What `work` makes of each item, in their order. Closing the generator ends its threads.

    Args:
        work: called in a thread; what it raises is raised where its result is asked for.
        items: gone through in the caller's own thread, as far as work is ahead.
        threads: how many items are worked on at once.
        ahead: results that wait for the caller at most.
        name: of the threads.
    """
    pending: deque[Future[Result]] = deque()
    pool = ThreadPoolExecutor(max_workers=threads, thread_name_prefix=name)
    try:
        for item in items:
            pending.append(pool.submit(work, item))
            if len(pending) > ahead:
                yield pending.popleft().result()
        while pending:
            yield pending.popleft().result()
    finally:
        pool.shutdown(wait=True, cancel_futures=True)
