"""Modules in front of the installed packages, in processes of their own."""

import os
import subprocess
import sys

import pytest

from zfutils.runtime.folders import ROOT

WORDS = ("-m", "zfutils", "prepare", "--edition", "none")
ALONE = ("-c", "from zfutils.runtime.shadows import refuse_shadows; print(refuse_shadows())")


def said(folder, *, on_path=True, words=WORDS):
    """What a command says that is run with a folder on PYTHONPATH, or in it; its exit status first."""
    path = os.pathsep.join([str(folder)] * on_path + [str(ROOT)])
    environment = dict(os.environ, PYTHONPATH=path)
    how = {"capture_output": True, "text": True, "timeout": 120}
    done = subprocess.run([sys.executable, *words], env=environment, cwd=ROOT if on_path else folder, **how)
    assert "Traceback" not in done.stderr
    return done.returncode, (done.stdout + done.stderr).splitlines()[-1]


@pytest.mark.parametrize(
    ("name", "package"), [("nbformat.py", "nbformat"), ("PIL/__init__.py", "pillow"), ("yaml.py", "PyYAML")]
)
@pytest.mark.parametrize("on_path", [True, False])
def test_a_module_that_stands_in_front_of_a_package_is_refused_with_both_names(
    tmp_path, name, package, on_path
):
    (tmp_path / name).parent.mkdir(exist_ok=True)
    (tmp_path / name).touch()
    status, line = said(tmp_path, on_path=on_path)
    assert status == 2
    assert line.startswith(
        f"zfutils: {tmp_path / name.split('/')[0]} stands in front of the package {package}"
    )


def test_other_modules_and_folders_of_installed_packages_are_no_concern(tmp_path):
    for name in ("mine.py", "numpy.txt", "notes"):
        (tmp_path / name).touch()
    (tmp_path / "photos").mkdir()
    assert said(tmp_path, words=ALONE) == (0, "None")
    (tmp_path / "nbformat").mkdir()
    (tmp_path / "nbformat" / "__init__.py").touch()
    (tmp_path / "nbformat-5.10.4.dist-info").mkdir()
    assert said(tmp_path, words=ALONE) == (0, "None")
