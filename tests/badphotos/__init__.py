"""Bad photos, and odd ones that are good, against what is promised of them."""
