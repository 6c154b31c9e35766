"""How often Python looks for garbage in a process that works.

The one rule: whoever owns the process says so, once all that stays is there; an engine inside somebody else's program
leaves the collector alone.
"""

import gc
from typing import Final

# The state of a run is many small immutable values, which are gone when nobody refers to them: only cycles wait for the
# collector. By default it looks after every 700 new objects, which is once a step, and took a tenth of all CPU.
_NEW_OBJECTS: Final = 20_000


def tidy_seldom() -> None:
    """Look for garbage more rarely from now on, and not in what is there already: it stays as long as the process."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(_NEW_OBJECTS)
