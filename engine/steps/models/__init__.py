"""Asking models: the step ``llm``, and the one question that an agent's turn is.

The one rule: the SDKs of providers are imported here alone, and only once a model is asked, since that takes seconds.
"""
