"""The verbs of systopack: what the command line does, as Python functions.

They take networks, models, data sets and arrays as objects, as files or by name. `import systopack`
shows the main ones, and imports each of them when it is used.
"""
