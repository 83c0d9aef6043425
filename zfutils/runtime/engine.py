"""papermill's own engine, which saves the unfinished copy from time to time instead of twice a cell.

A page of sixty cells was written a hundred times over, figures and all, which took longer than most cells.
"""

from typing import Any

from nbformat import NotebookNode
from papermill.engines import NBClientEngine, NotebookExecutionManager, papermill_engines

NAME = "zfutils"


class _Saving(NotebookExecutionManager):
    """Knows what has run so far; writes it where the last writing is long ago, and at the end."""

    def save(self, **kwargs: Any) -> None:
        """Write the copy, unless it was written less than `autosave_cell_every` seconds ago."""
        ended = self.end_time is not None
        if ended or (self.now() - self.last_save_time).total_seconds() >= self.autosave_cell_every:
            super().save(**kwargs)


class SavingEngine(NBClientEngine):
    """Executes as papermill's `NBClientEngine`."""

    @classmethod
    def execute_notebook(
        cls,
        nb: NotebookNode,
        kernel_name: str,
        output_path: str | None = None,
        progress_bar: bool = True,
        log_output: bool = False,
        autosave_cell_every: int = 30,
        **kwargs: Any,
    ) -> NotebookNode:
        """As `papermill.engines.Engine.execute_notebook`, whose arguments these are."""
        how = {"progress_bar": progress_bar, "log_output": log_output}
        manager = _Saving(nb, output_path, autosave_cell_every=autosave_cell_every, **how)
        manager.notebook_start()
        try:
            cls.execute_managed_notebook(manager, kernel_name, log_output=log_output, **kwargs)
        finally:
            manager.cleanup_pbar()
            manager.notebook_complete()
        return manager.nb


papermill_engines.register(NAME, SavingEngine)
