"""`python -m bouncegrad`, which is also what `torchrun -m bouncegrad train ...` starts in every process."""

import sys

from bouncegrad.app.cli import main

if __name__ == "__main__":
    sys.exit(main())
