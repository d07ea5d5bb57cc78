"""From records to what a reader gets: tables, figures, reports."""
