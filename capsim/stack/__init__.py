"""The stack: what lies between the hardware and a unit, layer by layer, and what each layer does.

    cs.compare_stacks("web-api", cs.Host(cores=64, memory_gib=256), cs.UnitSize(1, 2))

A layer takes, slows, delays, isolates and costs; a platform is the composition of its layers.
Product facts are rows of data/platforms/*.csv, each with its source.
"""
