"""Everything about the package is in pyproject.toml; this adds the workspace template to the wheel.

`mmops init` needs the job and report notebooks, which live at the top of the repository where people open
them. They are copied into the wheel here, so that there is no second copy to keep in step.
"""
import sys
from pathlib import Path
from setuptools import setup
from setuptools.command.build_py import build_py

ROOT = Path(__file__).resolve().parent
sys.path.insert(0, str(ROOT))

class BuildWithTemplate(build_py):
    def run(self):
        super().run()
        if self.editable_mode: return
        from marketing_mlops.cli.template import copy_template
        copy_template(ROOT, Path(self.build_lib)/"marketing_mlops"/"cli"/"workspace_template")

setup(cmdclass={"build_py": BuildWithTemplate})
