"""A believable month for a development database: `python -m bot seed --demo`.

People write in their dialects and staff answer, through the doors that everybody uses, with the clock turned back
thirty days. Nothing is sent: what would have gone to a provider is noted as sent. Texts are data (`data/demo.yml`).
"""
