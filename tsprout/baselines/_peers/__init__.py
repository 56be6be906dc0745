"""What runs inside the environment of another library: a runner, a module for each library, and pinned requirements.

Nothing here is imported by tsprout, and nothing here imports it: :mod:`tsprout.baselines._library` starts ``runner.py``
with the Python of an environment that has the library, which need not have tsprout.
"""
