"""Pure decisions: desired, record, observed and the time in; the next step out."""
