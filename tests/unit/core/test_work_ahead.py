"""Work ahead: results come in order, no further ahead than asked for, and threads end with the generator."""

import threading

import pytest

from video_tcav.core.work_ahead import work_ahead


def test_results_come_in_the_order_of_the_items():
    assert list(work_ahead(lambda n: n * n, range(20), threads=3, ahead=4, name="t")) == [n * n for n in range(20)]


def test_no_more_items_are_taken_than_are_waited_for():
    taken = []

    def items():
        for number in range(100):
            taken.append(number)
            yield number

    results = work_ahead(lambda n: n, items(), threads=2, ahead=3, name="t")
    assert next(results) == 0
    assert len(taken) == 4
    results.close()
    assert len(taken) == 4


def test_an_error_comes_where_its_result_is_asked_for_and_ends_the_threads():
    before = threading.active_count()
    results = work_ahead(lambda n: 1 / n, [2, 1, 0, 1], threads=2, ahead=1, name="t")
    assert next(results) == 0.5
    assert next(results) == 1
    with pytest.raises(ZeroDivisionError):
        next(results)
    assert threading.active_count() == before
