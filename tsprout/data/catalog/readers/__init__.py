"""Readers of downloaded files, one module a kind; :mod:`tsprout.data.catalog.formats` names them."""
