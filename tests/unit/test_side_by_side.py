"""Pieces of an operation at once: each done once, errors told, no thread left behind by a fork."""

import os
import threading

import pytest
import torch

from pfamformer.model.side_by_side import ROUND, answers, side_by_side


@pytest.fixture(params=[1, 2, 3])
def threads(request):
    before = torch.get_num_threads()
    torch.set_num_threads(request.param)
    yield request.param
    torch.set_num_threads(before)


def test_every_piece_once_with_torch_s_threads_left_as_they_were(threads):
    done, inside = [], set()

    def work(piece):
        inside.add((threading.get_ident(), torch.get_num_threads()))
        done.append(piece)

    for _ in range(3):
        side_by_side(work, range(100))
        assert torch.get_num_threads() == threads
    assert sorted(done) == sorted([*range(100)] * 3)
    assert {count for _, count in inside} == {1}
    assert len(inside) <= threads


@pytest.mark.parametrize("inference", [False, True])
def test_pieces_write_into_what_the_caller_made(threads, inference):
    with torch.inference_mode(inference):
        x = torch.zeros(10)

        def work(piece):
            x[piece] += piece

        side_by_side(work, range(10))
        assert x.tolist() == list(range(10))


def test_an_error_reaches_the_caller(threads):
    def work(piece):
        if piece == 7:
            raise ValueError("seven")

    with pytest.raises(ValueError, match="seven"):
        side_by_side(work, range(20))
    assert torch.get_num_threads() == threads


def test_answers_come_in_order_from_a_stream_read_round_by_round(threads):
    read = []

    def pieces():
        for piece in range(50):
            read.append(piece)
            yield piece

    found = answers(lambda piece: piece * piece, pieces())
    assert next(found) == 0
    assert len(read) == ROUND * threads
    assert [0, *found] == [piece * piece for piece in range(50)]


def test_fewer_pieces_than_threads_have_all_threads():
    before = torch.get_num_threads()
    torch.set_num_threads(4)
    try:
        assert list(answers(lambda piece: torch.get_num_threads(), [0, 1])) == [4, 4]
        assert list(answers(lambda piece: torch.get_num_threads(), [0, 1, 2])) == [1, 1, 1]
    finally:
        torch.set_num_threads(before)


@pytest.mark.parametrize("enabled", [False, True])
def test_number_formats_are_the_caller_s(threads, enabled):
    x, formats = torch.ones(2, 2), []
    with torch.autocast("cpu", torch.bfloat16, enabled=enabled):
        side_by_side(lambda piece: formats.append((x @ x).dtype), range(20))
    assert set(formats) == {torch.bfloat16 if enabled else torch.float32}


def test_a_forked_process_makes_its_own_threads(threads):
    side_by_side(lambda piece: None, range(4))
    child = os.fork()
    if child == 0:
        done = []
        side_by_side(done.append, range(4))
        os._exit(sorted(done) != [0, 1, 2, 3])
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
