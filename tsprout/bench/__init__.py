"""The benchmark: models x sets x shots x lengths x seeds x suites of scores, cell by cell, stopped and resumed at will.

``spec`` says what is asked for, ``cell`` does one piece of it, ``runner`` does what is missing on an ``executor``, and
``tables``, ``ranks`` and ``plots`` read what there is. See ``docs/benchmark.md``.
"""
