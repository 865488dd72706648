"""What all tests share: hypothesis measures no time, since a busy machine is no error."""

from hypothesis import settings

settings.register_profile("capsim", deadline=None)
settings.load_profile("capsim")
