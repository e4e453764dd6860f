"""`autocorp doctor`: all that the deployment needs, looked at before anything runs. Nothing is changed.

A module for each concern has functions that take the settings and give findings; `examination` says which there are.
"""
