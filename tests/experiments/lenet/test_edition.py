"""Chapter 10 in an edition that has no networks on digits."""

from dataclasses import replace

import pytest

from zfutils.study.study import Study


def test_an_edition_without_digits_is_refused_in_one_sentence():
    study = Study.open("smoke", "10_lenet")
    assert study.digits.profile.images.source == "digits"
    without = replace(study, profile=study.profile.model_copy(update={"digits": None}))
    with pytest.raises(ValueError, match=r"^the edition smoke has no section 'digits'$"):
        _ = without.digits
