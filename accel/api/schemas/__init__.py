"""JSON Schemas of queries, bodies and answers: what is checked, and what the OpenAPI document shows."""
