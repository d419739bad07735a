"""mm_memgpt sees and reads into one bounded memory, and writes from it.

    import mm_memgpt

    model = mm_memgpt.load()
    model.caption("photo.jpg").text

Notable: importing this package imports no torch; what it offers is looked up on first use, so that help stays quick.
"""

from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mm_memgpt.pipeline import Pipeline

__version__ = "0.1.0"

_MODULES = {
    "types": ("Caption", "Fact", "Features", "InputError", "MemoryState", "Text", "Word"),
    "config": ("MMMemGPTConfig",),
    "layers.gate": ("GatedCrossAttention",),
    "memory.bank": ("MemoryBank",),
    "memory.sources": ("Sources",),
    "memory.where": ("Where",),
    "fusion.cross_attention": ("CrossAttentionFusion",),
    "fusion.fuser": ("Fused", "MultimodalFuser"),
    "fusion.graph": ("GraphFusion",),
    # this module also tells transformers' Auto classes of the model
    "models.auto": ("MMMemGPTForConditionalGeneration", "MMMemGPTForSeq2SeqLM", "MMMemGPTProcessor"),
    "recollection.memory": ("Memory",),
    "recollection.results": ("Answer",),
    "pipeline": ("Pipeline", "assemble"),
    "summaries": ("Summarizer", "Summary", "load_summarizer", "summarize"),
    "task_pipeline": ("TaskPipeline", "finetune", "load_task"),
}
_LAZY = {name: f"mm_memgpt.{module}" for module, names in _MODULES.items() for name in names}
"""Public names and the module each comes from."""
_here = Path(__file__).resolve().parent
if (_here.parent / "encoders").is_dir() and not (_here / "encoders").exists():
    # A checkout: encoders/ and datasets/ lie beside this folder; a wheel puts them inside it.
    __path__.append(str(_here.parent))


def load(name: str = "nano", device: str | None = None) -> "Pipeline":
    """Loads "nano", which ships in the package, or a model by folder or hub name; `device` None takes the best one."""
    from mm_memgpt.pipeline import load as load_pipeline

    return load_pipeline(name, device=device)


def __getattr__(name: str) -> Any:
    if name not in _LAZY:
        raise AttributeError(f"module 'mm_memgpt' has no attribute {name!r}; it offers {', '.join(__dir__())}")
    return getattr(import_module(_LAZY[name]), name)


def __dir__() -> list[str]:
    return sorted([*_LAZY, "__version__", "load"])
