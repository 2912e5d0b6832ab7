"""`python -m tocsind.ical`: reads one calendar, as process.py has it."""

from tocsind.ical.worker import main

if __name__ == "__main__":
    main()
