"""The paper's claims across networks, one function each, from the readings of a study to tables of
figures and verdicts. Rules stand in the functions, written before the study was run.
"""
