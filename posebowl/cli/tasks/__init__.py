"""What people type: one module for each group of tasks.

A task function declares its options, and imports what it needs when it runs: `invoke --list`
loads nothing of it.
"""

import sys

# invoke has Python keep nothing of what it compiles. Each command would compile some 500 modules
# again, which takes longer than the rest of its start; so what the user chose counts again.
sys.dont_write_bytecode = bool(sys.flags.dont_write_bytecode)
