"""The example package is installed by the tests; it is no part of them."""

collect_ignore = ["odforecast-example"]
