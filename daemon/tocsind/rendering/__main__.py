"""`python -m tocsind.rendering`: a process that renders, as process.py starts it."""

from tocsind.rendering.worker import main

if __name__ == "__main__":
    main()
