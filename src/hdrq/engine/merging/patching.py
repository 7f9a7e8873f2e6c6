"""placeholder"""
def patched(*a): raise NotImplementedError
