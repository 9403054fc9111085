"""From the bytes of a CSV to a number: predictions, labels, mean IoU."""
