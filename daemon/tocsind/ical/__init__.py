"""Calendars: iCalendar (RFC 5545) read in processes of their own. The daemon never imports the library for it."""
