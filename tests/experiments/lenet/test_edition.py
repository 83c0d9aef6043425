"""Chapter 10 in an edition that has no networks on digits."""

import pytest

from zfutils.study.study import Study


def test_an_edition_without_digits_is_refused_in_one_sentence():
    study = Study.open("smoke", "10_lenet")
    assert study.digits.profile.images.source == "digits"
    without = study.changed(digits=None)
    with pytest.raises(ValueError, match=r"^the edition smoke has no section 'digits'$"):
        _ = without.digits
