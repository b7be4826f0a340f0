"""From rows to the bodies of answers: pure functions of a row, a version and where links begin."""
