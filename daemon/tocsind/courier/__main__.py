"""`python -m tocsind.courier`: the courier, as process.py starts it."""

from tocsind.courier.worker import main

if __name__ == "__main__":
    main()
