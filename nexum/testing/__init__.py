"""What tests of Nexum and of its users stand on: real servers, a clock that is moved by hand, crashes on order.

This package stands above the services, because it wires the same scheduler and worker that production runs; nothing below
imports it. A test that needs a server gets a real one (`services.py`), and fails, with a sentence that mends it, when
there is none.
"""
