"""Measures, figures and reports: tables in, tables and figures out."""
