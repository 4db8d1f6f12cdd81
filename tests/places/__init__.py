"""The commands where the disk is full, has no room for files, or can only be read.

`python -m tests.places` runs each of them as a process, on a disk of its own that is larger each
time, until the command fits. It either does its whole job, or says in one sentence what cannot be
written and why; what lies there then is whole, what was there before stays, and the same command
on a disk with room goes on from there.
"""
