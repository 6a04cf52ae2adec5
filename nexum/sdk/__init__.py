"""What a developer touches: workflows, what their decorators return, what handlers see, and how versions are found.

The room is thin on purpose. `workflow` and `fluent` are two faces of one builder; both only collect what was declared and
hand it to the compiler. `handles` are what decorators leave in the author's module: still callable as the plain function
in a unit test, and typed references at the same time. `context` and `prompt` are what handlers take and give. `compiled`
is a version with its code, `registry` finds versions in modules.
"""
