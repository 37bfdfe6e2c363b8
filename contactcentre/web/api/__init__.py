"""The API below `/api/v1`: the same numbers and rows as the pages, as JSON, described by OpenAPI."""
