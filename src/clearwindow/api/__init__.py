"""The edge that all routes share: bodies, errors, filters, paging, the app itself."""
