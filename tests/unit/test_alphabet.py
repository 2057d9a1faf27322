import numpy as np
import pytest

from pfamformer.sequences.alphabet import CLS, EOS, MASK, PAD, TOKENS, decode, encode


def test_tokens_are_those_of_esm2():
    # The published order, as transformers' EsmTokenizer has it.
    assert len(TOKENS) == 33
    assert (CLS, PAD, EOS, MASK) == (0, 1, 2, 32)
    assert encode("LAGVSERTIDPKQNFYMHWC").tolist() == list(range(4, 24))
    assert encode("XBUZO").tolist() == [24, 25, 26, 27, 28]


def test_round_trip_and_case():
    assert decode(encode("MKTAYIAKQR")) == "MKTAYIAKQR"
    assert np.array_equal(encode("mktj"), encode("MKTX"))


def test_foreign_characters_are_named_with_their_place():
    with pytest.raises(ValueError, match=r"'\*' at residue 3"):
        encode("MK*A")
    with pytest.raises(ValueError, match="residue 1"):
        encode("-MK")
