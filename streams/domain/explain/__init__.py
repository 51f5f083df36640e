"""Explain proposals and cases to the person concerned, their counsel and the official."""
