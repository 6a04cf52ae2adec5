"""`make flower`: a worker with a sample workflow, one run, and Flower to watch them in.

Nothing here is needed to watch a project of one's own: start Flower on its Celery app. See docs/how-to/flower.md.
"""
