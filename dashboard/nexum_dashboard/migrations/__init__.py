from nexum_migrations import __path__
