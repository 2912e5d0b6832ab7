"""`python -m tocsind.courier`: the courier, as process.py starts it; with `--socket`, as a service of its own."""

import sys

from tocsind.courier.worker import main

if __name__ == "__main__":
    if sys.argv[1:]:
        from tocsind.courier import listener

        sys.exit(listener.main(sys.argv[1:]))
    main()
