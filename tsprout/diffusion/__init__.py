"""Noise schedules, EDM preconditioning and ordinary-differential-equation solvers, as plain functions."""
