"""What may be set, and which parts does it name?"""
