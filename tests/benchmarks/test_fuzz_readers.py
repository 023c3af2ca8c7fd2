"""A small run of the command that fuzzes all readers: each input is accepted or refused in one line, within a second."""

import random

import pytest
from benchmarks.fuzz_inputs import HOSTILE, Sample, mutated
from benchmarks.fuzz_readers import fuzz, outcome_of
from benchmarks.fuzz_targets import READERS

from video_tcav.core.errors import InputError

INPUTS = {"run directories": 40}


@pytest.mark.parametrize("name", READERS)
def test_each_input_is_accepted_or_refused_in_one_line(name, tmp_path):
    inputs = INPUTS.get(name, 200)
    tally = fuzz(READERS[name], tmp_path, inputs, seed=3, visible=False)
    assert not tally.failures
    assert tally.outcomes.total() == inputs
    assert tally.outcomes["refused"] > 0


def test_what_is_no_line_or_no_error_of_the_library_counts_as_a_traceback():
    def raises(error: BaseException):
        def read(_: Sample) -> None:
            raise error

        return outcome_of(read, Sample("x", b""))

    assert raises(InputError("`x` must be y.")) == "refused"
    assert raises(InputError("one\ntwo")) == "refused"  # which the message spells out
    assert "\n" not in str(InputError("one\ntwo"))
    assert raises(KeyError("x")).startswith("traceback KeyError")
    assert raises(RecursionError()).startswith("traceback RecursionError")
    assert outcome_of(lambda _: None, Sample("x", b"")) == "accepted"


def test_inputs_of_one_number_are_the_same_and_others_differ():
    samples = [Sample("a", b"title: x\n" * 5)]
    made = [mutated(samples[0], samples, [b"a"], random.Random(f"0 {number}")) for number in range(50)]
    again = [mutated(samples[0], samples, [b"a"], random.Random(f"0 {number}")) for number in range(50)]
    assert [sample.content for sample in made] == [sample.content for sample in again]
    assert len({sample.content for sample in made}) > 30
    assert len(HOSTILE) > 50
