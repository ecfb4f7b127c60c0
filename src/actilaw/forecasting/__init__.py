"""How many more units will work: from counts to forecasts with intervals, and the risk of removing
idle units.
"""
