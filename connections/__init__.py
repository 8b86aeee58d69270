"""How this process reaches Azure: one credential policy, one client each, errors told apart once.

SDKs are imported when the first client is made, so that a function which never uses one never pays for it.
"""
