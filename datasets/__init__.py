"""Readers: each turns one kind of source into Samples (mm_memgpt.types). Installed as mm_memgpt.datasets.

Notable: in a checkout this folder's name hides Hugging Face `datasets` from whatever starts in the repository root, a
notebook for one. So where it is imported under that bare name, it steps aside for the next `datasets` on `sys.path`.
"""

if __name__ == "datasets":
    import sys
    from importlib.machinery import PathFinder
    from importlib.util import module_from_spec
    from pathlib import Path

    checkout = Path(__file__).resolve().parent.parent
    spec = PathFinder.find_spec(__name__, [entry for entry in sys.path if Path(entry).resolve() != checkout])
    if spec is None or spec.loader is None:
        raise ModuleNotFoundError(
            f"{checkout} is on sys.path, so `datasets` names its folder of readers, and Hugging Face datasets is not "
            "installed. For ours, import mm_memgpt.datasets; for theirs, pip install datasets",
            name=__name__,
        )
    sys.modules[__name__] = module_from_spec(spec)
    spec.loader.exec_module(sys.modules[__name__])
