"""What the image is made of: its licences, and the advisories about its pins."""
