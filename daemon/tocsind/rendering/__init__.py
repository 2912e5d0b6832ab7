"""Rendering of templates: in processes of their own, never in the daemon's. See renderer.py."""
