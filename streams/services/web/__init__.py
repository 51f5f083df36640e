"""What the board and the studio share: files, words and headers of a page."""
