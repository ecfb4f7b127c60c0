"""The paper's claims across networks, one function each, from the readings of a study to tables of
figures and verdicts. The rule of each stands in its function.
"""
