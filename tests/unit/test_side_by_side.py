"""Pieces of an operation at once: each done once, errors told, no thread left behind by a fork."""

import os
import threading

import pytest
import torch

from pfamformer.model.side_by_side import side_by_side


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


def test_a_forked_process_makes_its_own_threads(threads):
    side_by_side(lambda piece: None, range(4))
    child = os.fork()
    if child == 0:
        done = []
        side_by_side(done.append, range(4))
        os._exit(sorted(done) != [0, 1, 2, 3])
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
